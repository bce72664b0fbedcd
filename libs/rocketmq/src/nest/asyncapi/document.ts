// The parts of an AsyncAPI 3 document that the library writes.

/** The name of a connection without one. */
export const DEFAULT_CONNECTION = 'default';

/** A JSON Schema of draft 07, as AsyncAPI 3.0 has it by default. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** A pointer to another part of the document. */
export interface Reference {
  readonly $ref: string;
}

/** What AsyncAPI has no field for. There is no official binding of RocketMQ. */
interface Extended<Facts> {
  readonly 'x-rocketmq'?: Facts;
}

/** One address of a server. Never with credentials. */
export interface AsyncApiServer
  extends Extended<{
    readonly kind: 'proxy' | 'name-server' | 'embedded';
    readonly namespace?: string;
  }> {
  readonly host: string;
  readonly protocol: 'rocketmq';
}

/** A kind of message in a channel. */
export interface AsyncApiMessage
  extends Extended<{
    /** The tag that each of them has. */
    readonly tag?: string;
    /** The fields of a send that each of them has, because of the type of the topic. */
    readonly requires?: readonly string[];
    /** The version of the bodies that are sent. */
    readonly version?: number;
    /** The oldest version of bodies that receivers upgrade. Default: `version`. */
    readonly upgradesFrom?: number;
    /** Why there is no payload although bodies have a schema. */
    readonly noSchema?: string;
  }> {
  readonly name: string;
  readonly contentType?: string;
  readonly headers?: JsonSchema;
  readonly correlationId?: { readonly location: string };
  readonly payload?: Reference | JsonSchema;
}

/** A topic, or where the answers to requests arrive. */
export interface AsyncApiChannel
  extends Extended<{
    /** The name of the connection. Default: the one without a name. */
    readonly connection?: string;
    readonly type?: string;
    readonly queues?: number;
  }> {
  /** The name of the topic on the cluster; null: each request names it. */
  readonly address: string | null;
  readonly messages: Readonly<Record<string, AsyncApiMessage | Reference>>;
  readonly servers?: readonly Reference[];
}

/** What the application does with a channel. */
export interface AsyncApiOperation
  extends Extended<{
    readonly consumerGroup?: string;
    /** Tags, `a || b`, or an expression over properties. Default: every message. */
    readonly filter?: string | { readonly sql: string };
    readonly mode?: 'broadcast';
    readonly batch?: true;
    readonly liteTopics?: readonly string[];
    /** Each message is part of a transaction. */
    readonly transaction?: true;
    /** The listener whose dead letters are sent. */
    readonly deadLettersOf?: string;
  }> {
  readonly action: 'send' | 'receive';
  readonly channel: Reference;
  readonly messages: readonly Reference[];
  readonly reply?: {
    readonly address: { readonly location: string };
    readonly channel: Reference;
    readonly messages: readonly Reference[];
  };
}

/** An AsyncAPI 3 document of an application, as a plain object that `JSON.stringify` takes. */
export interface RocketMQAsyncApiDocument {
  readonly asyncapi: '3.0.0';
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly servers: Readonly<Record<string, AsyncApiServer>>;
  readonly channels: Readonly<Record<string, AsyncApiChannel>>;
  readonly operations: Readonly<Record<string, AsyncApiOperation>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly messages: Readonly<Record<string, AsyncApiMessage>>;
  };
}
