// A raw gRPC client for the specs of the broker, without code of client/, so that a common bug cannot hide.

import {
  Client,
  type ClientDuplexStream,
  credentials,
  status as grpcStatus,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { toDuration } from '../../libs/rocketmq/src/protocol/grpc/duration.js';
import {
  ClientType,
  type Message,
  MessageType,
  Permission,
  type Settings,
  type Status,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/service.js';
import {
  type RpcName,
  type RpcRequest,
  type RpcResponse,
  rpcMethod,
} from '../../libs/rocketmq/src/protocol/grpc/rpc.js';

export { grpcStatus };

export type TelemetryCall = ClientDuplexStream<TelemetryCommand, TelemetryCommand>;

/** One client id on one connection. */
export class RawClient {
  private readonly client: Client;
  private readonly open = new Set<TelemetryCall>();
  /** Called with the messages of each response: those of the status and of its entries, or of gRPC if the call failed. */
  onAnswer: (texts: readonly string[]) => void = () => {};

  constructor(
    endpoints: string,
    readonly clientId: string,
    private readonly extra: Readonly<Record<string, string>> = {},
    /** The CA certificate of a server with TLS, PEM. */
    ca?: string,
  ) {
    const channel = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));
    this.client = new Client(endpoints, channel, {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
  }

  /** A unary call; rejects with grpc-js's error. */
  call<N extends RpcName>(name: N, request: Partial<RpcRequest<N>>): Promise<RpcResponse<N>> {
    const { path, request: requests, response } = rpcMethod(name);
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        path,
        (value: RpcRequest<N>) => Buffer.from(requests.encode(value).finish()),
        (bytes: Buffer) => response.decode(bytes),
        { ...requests.decode(new Uint8Array()), ...request },
        this.metadata(),
        { deadline: Date.now() + 10_000 },
        (error: ServiceError | null, value) => {
          this.onAnswer(error === null ? textsOf(value as Statuses) : [error.details]);
          if (error === null) resolve(value as RpcResponse<N>);
          else reject(error);
        },
      );
    });
  }

  /** A receive; resolves with the items of the stream. */
  receive(
    request: Partial<RpcRequest<'receiveMessage'>>,
    { deadlineMs = 25_000 as number | null, signal = undefined as AbortSignal | undefined } = {},
  ): Promise<RpcResponse<'receiveMessage'>[]> {
    const { path, request: requests, response } = rpcMethod('receiveMessage');
    const call = this.client.makeServerStreamRequest(
      path,
      (value: RpcRequest<'receiveMessage'>) => Buffer.from(requests.encode(value).finish()),
      (bytes: Buffer) => response.decode(bytes),
      { ...requests.decode(new Uint8Array()), ...request },
      this.metadata(),
      deadlineMs === null ? {} : { deadline: Date.now() + deadlineMs },
    );
    signal?.addEventListener('abort', () => call.cancel(), { once: true });
    return new Promise((resolve, reject) => {
      const items: RpcResponse<'receiveMessage'>[] = [];
      call.on('data', (item: RpcResponse<'receiveMessage'>) => items.push(item));
      call.on('end', () => {
        const [status] = items.flatMap(({ content }) => (content?.$case === 'status' ? [content.value] : []));
        this.onAnswer(textsOf({ status }));
        resolve(items);
      });
      call.on('error', reject);
    });
  }

  telemetry(): TelemetryCall {
    const { path, request, response } = rpcMethod('telemetry');
    const call = this.client.makeBidiStreamRequest(
      path,
      (value: TelemetryCommand) => Buffer.from(request.encode(value).finish()),
      (bytes: Buffer) => response.decode(bytes),
      this.metadata(),
    );
    this.open.add(call);
    call.once('status', () => this.open.delete(call));
    return call;
  }

  /** Opens telemetry, sends settings and waits for the reply. */
  async settle(settings: Settings): Promise<{ call: TelemetryCall; reply: TelemetryCommand }> {
    const call = this.telemetry();
    const reply = new Promise<TelemetryCommand>((resolve, reject) => {
      call.once('data', (command: TelemetryCommand) => {
        this.onAnswer(textsOf(command));
        resolve(command);
      });
      call.on('error', (error: ServiceError) => {
        this.onAnswer([error.details]);
        reject(error);
      });
      call.once('end', () => reject(new Error('telemetry ended before a reply')));
    });
    call.write({ command: { $case: 'settings', value: settings } });
    return { call, reply: await reply };
  }

  /** Cancels the telemetry streams too: grpc-js would keep their connection until they end. */
  close(): void {
    for (const call of this.open) {
      call.on('error', () => {});
      call.cancel();
    }
    this.client.close();
  }

  private metadata(): Metadata {
    const metadata = new Metadata();
    const values = { 'x-mq-client-id': this.clientId, 'x-mq-language': 'NODE_JS', ...this.extra };
    for (const [key, value] of Object.entries(values)) if (value !== '') metadata.set(key, value);
    return metadata;
  }
}

interface Statuses {
  readonly status?: Status | undefined;
  readonly entries?: readonly { readonly status?: Status | undefined }[];
}

function textsOf({ status, entries = [] }: Statuses): string[] {
  return [status, ...entries.map((entry) => entry.status)].map((one) => one?.message ?? '');
}

export function resource(name: string) {
  return { resourceNamespace: '', name };
}

export function producerSettings(...topics: string[]): Settings {
  const value = { topics: topics.map(resource), maxBodySize: 0, validateMessageType: true };
  return { clientProperties: {}, clientType: ClientType.PRODUCER, pubSub: { $case: 'publishing', value } };
}

export function consumerSettings(group: string, clientType = ClientType.SIMPLE_CONSUMER): Settings {
  return {
    clientProperties: {},
    clientType,
    pubSub: { $case: 'subscription', value: { group: resource(group), subscriptions: [] } },
  };
}

/** A message to send. */
export function message(topic: string, messageId: string, system: Partial<Message['systemProperties']> = {}): Message {
  return {
    topic: resource(topic),
    userProperties: { colour: 'grün' },
    systemProperties: {
      messageId,
      keys: [],
      bodyEncoding: 1,
      messageType: MessageType.NORMAL,
      bornTimestamp: new Date(),
      bornHost: 'spec',
      storeHost: '',
      queueId: 0,
      ...system,
    },
    body: Buffer.from(`body of ${messageId}`),
  };
}

/** A receive of up to 32 messages, by default with a lease of 30 s. */
export function receiveRequest(
  topic: string,
  group: string,
  invisibleDurationMs = 30_000,
): Partial<RpcRequest<'receiveMessage'>> {
  return {
    group: resource(group),
    messageQueue: { topic: resource(topic), id: -1, permission: Permission.READ_WRITE, acceptMessageTypes: [] },
    batchSize: 32,
    invisibleDuration: toDuration(invisibleDurationMs),
    longPollingTimeout: toDuration(20_000),
  };
}
