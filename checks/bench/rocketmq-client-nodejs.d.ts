// What is used of the package, here and in checks/interop. It is installed when a run first needs it, so its own types may not be there.

declare module 'rocketmq-client-nodejs' {
  export interface ClientOptions {
    readonly endpoints: string;
    readonly namespace: string;
    readonly requestTimeout?: number;
    readonly logger: object;
  }

  export interface Message {
    readonly topic: string;
    readonly body: Buffer;
    readonly tag?: string;
    readonly keys?: string[];
    readonly properties?: Map<string, string>;
    readonly messageGroup?: string;
    readonly deliveryTimestamp?: Date;
    readonly priority?: number;
  }

  export interface MessageView extends Message {
    readonly messageId: string;
    readonly keys: string[];
    readonly properties: Map<string, string>;
    readonly deliveryAttempt: number;
    readonly bornHost: string;
  }

  export interface SendReceipt {
    readonly messageId: string;
    readonly transactionId: string;
    readonly recallHandle: string;
  }

  export interface Transaction {
    commit(): Promise<unknown>;
    rollback(): Promise<unknown>;
  }

  export interface ProducerOptions {
    readonly topic?: string;
    readonly topics?: string[];
    readonly checker?: { check(view: MessageView): Promise<number> };
  }

  export class Producer {
    constructor(options: ClientOptions & ProducerOptions);
    startup(): Promise<void>;
    shutdown(): Promise<void>;
    send(message: Message, transaction?: Transaction): Promise<SendReceipt>;
    beginTransaction(): Transaction;
    recallMessage(topic: string, handle: string): Promise<{ readonly messageId: string }>;
  }

  export class FilterExpression {
    constructor(expression: string, type: number);
  }

  interface ConsumerOptions extends ClientOptions {
    readonly consumerGroup: string;
    readonly subscriptions: Map<string, string | FilterExpression>;
  }

  export class SimpleConsumer {
    constructor(options: ConsumerOptions & { readonly awaitDuration: number });
    startup(): Promise<void>;
    shutdown(): Promise<void>;
    receive(count: number, invisibleMs: number): Promise<MessageView[]>;
    ack(view: MessageView): Promise<unknown>;
    changeInvisibleDuration(view: MessageView, invisibleMs: number): Promise<unknown>;
  }

  export enum ConsumeResult {
    SUCCESS,
    FAILURE,
  }

  export class PushConsumer {
    constructor(
      options: ConsumerOptions & {
        readonly messageListener: { consume(view: MessageView): Promise<ConsumeResult> };
      },
    );
    startup(): Promise<void>;
    shutdown(): Promise<void>;
  }
}
