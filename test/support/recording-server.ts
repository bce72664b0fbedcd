// A gRPC server that knows every topic, accepts every message and records all requests with their metadata. Several of them form a
// cluster. Uses no code of broker/.

import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import {
  AddressScheme,
  Code,
  Encoding,
  type Message,
  type MessageQueue,
  MessageType,
  Permission,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/service.js';
import {
  type RpcName,
  type RpcRequest,
  type RpcResponse,
  rpcMethod,
} from '../../libs/rocketmq/src/protocol/grpc/rpc.js';

/** One received request. */
export interface Recorded {
  readonly rpc: RpcName;
  /** The metadata, each key with its first value. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly request: unknown;
  /** The caller's timeout; undefined without a deadline. */
  readonly timeoutMs: number | undefined;
}

const OK = { code: Code.OK, message: '' };

export class RecordingServer {
  readonly recorded: Recorded[] = [];
  /** The response to settings. Default: the same settings. */
  adjustSettings: (command: TelemetryCommand) => TelemetryCommand = (command) => command;
  /** The status of responses to sends and heartbeats. */
  statusOf: { sendMessage: Code; heartbeat: Code } = { sendMessage: Code.OK, heartbeat: Code.OK };
  /** The status of responses to assignment queries. */
  assignmentStatus = Code.OK;
  /** Whether sends are answered without a status and without entries. */
  saysNothing = false;
  /** The message types that its topics accept. */
  types: readonly MessageType[] = [MessageType.NORMAL];
  /** Messages that receives return, each once. If it is empty, a receive waits until there is one, or until it is canceled. */
  readonly deliveries: Message[][] = [];
  /** The immediate response to a receive; undefined: it waits for {@link deliveries}. */
  hastyAnswer: { readonly text: string } | undefined;
  /** The queues of its topics. Default: one on each server of the cluster. */
  queues: ((topic: string) => MessageQueue[]) | undefined;
  /** Whether a receive stays open after its messages, until {@link endReceives}. */
  holdsReceives = false;
  /** The servers of its cluster, each a broker with a queue of every topic. Default: itself, without an address. */
  cluster: readonly RecordingServer[] = [];
  private readonly server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  private readonly streams = new Set<ServerDuplexStream<TelemetryCommand, TelemetryCommand>>();
  private readonly polls = new Set<() => void>();
  private readonly held = new Set<() => void>();
  private port = 0;

  get endpoints(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** @param port default: any free port */
  async start(port = 0): Promise<void> {
    this.unary('queryRoute', ({ topic }) => ({ status: OK, messageQueues: this.queuesOf(topic?.name ?? '') }));
    this.unary('queryAssignment', ({ topic }) => ({
      status: { code: this.assignmentStatus, message: '' },
      assignments: this.queuesOf(topic?.name ?? '').map((messageQueue) => ({
        messageQueue: { ...messageQueue, id: -1 },
      })),
    }));
    this.unary('ackMessage', ({ entries }) => ({
      status: OK,
      entries: entries.map((one) => ({ ...one, status: OK })),
    }));
    this.unary('changeInvisibleDuration', ({ receiptHandle }) => ({ status: OK, receiptHandle: `${receiptHandle}+` }));
    this.unary('forwardMessageToDeadLetterQueue', () => ({ status: OK }));
    this.unary('heartbeat', () => ({ status: { code: this.statusOf.heartbeat, message: '' } }));
    this.unary('notifyClientTermination', () => ({ status: OK }));
    this.unary('endTransaction', () => ({ status: OK }));
    this.unary('sendMessage', ({ messages }) =>
      this.saysNothing ? { status: undefined, entries: [] } : this.took(messages),
    );
    this.telemetry();
    this.receiving();
    this.port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
  }

  stop(): void {
    this.server.forceShutdown();
  }

  /** Returns these messages to the waiting poll, or the next one. */
  deliver(...messages: Message[]): void {
    this.deliveries.push(messages);
    for (const wake of [...this.polls]) wake();
  }

  endReceives(): void {
    for (const end of this.held) end();
    this.held.clear();
  }

  /** Sends this on every open telemetry stream. */
  say(command: TelemetryCommand): void {
    for (const stream of this.streams) stream.write(command);
  }

  of(rpc: RpcName): Recorded[] {
    return this.recorded.filter((one) => one.rpc === rpc);
  }

  private unary<N extends Exclude<RpcName, 'telemetry'>>(
    name: N,
    answer: (request: RpcRequest<N>) => RpcResponse<N>,
  ): void {
    const handler = (
      call: ServerUnaryCall<RpcRequest<N>, RpcResponse<N>>,
      callback: (error: null, response: RpcResponse<N>) => void,
    ): void => {
      this.record(name, call, call.request);
      callback(null, answer(call.request));
    };
    this.serve(name, handler, false);
  }

  private took(messages: readonly Message[]): RpcResponse<'sendMessage'> {
    const entries = messages.map(({ systemProperties }) => {
      const messageId = systemProperties?.messageId ?? '';
      const status = { code: this.statusOf.sendMessage, message: '' };
      return { status, messageId, transactionId: messageId, offset: 0n, recallHandle: '' };
    });
    return { status: OK, entries };
  }

  private telemetry(): void {
    const handler = (call: ServerDuplexStream<TelemetryCommand, TelemetryCommand>): void => {
      this.streams.add(call);
      call.on('close', () => this.streams.delete(call));
      call.on('error', () => this.streams.delete(call));
      call.on('data', (command: TelemetryCommand) => {
        this.record('telemetry', call, command);
        if (command.command?.$case === 'settings') call.write({ ...this.adjustSettings(command), status: OK });
      });
      call.on('end', () => call.end());
    };
    this.serve('telemetry', handler, true);
  }

  private receiving(): void {
    const handler = (call: ServerWritableStream<RpcRequest<'receiveMessage'>, RpcResponse<'receiveMessage'>>): void => {
      this.record('receiveMessage', call, call.request);
      const look = (): void => {
        const messages = this.deliveries.shift() ?? (this.hastyAnswer && []);
        if (messages === undefined) return;
        this.polls.delete(look);
        const code = messages.length === 0 ? Code.MESSAGE_NOT_FOUND : Code.OK;
        call.write({ content: { $case: 'status', value: { code, message: this.hastyAnswer?.text ?? '' } } });
        for (const message of messages) call.write({ content: { $case: 'message', value: message } });
        if (this.holdsReceives) this.held.add(() => call.end());
        else call.end();
      };
      call.on('cancelled', () => this.polls.delete(look));
      this.polls.add(look);
      look();
    };
    this.serve('receiveMessage', handler, false, true);
  }

  private serve<N extends RpcName>(name: N, handler: unknown, isStream: boolean, answersMany = isStream): void {
    const { path, request, response } = rpcMethod(name);
    const definition = {
      path,
      requestStream: isStream,
      responseStream: answersMany,
      requestDeserialize: (bytes: Buffer) => request.decode(bytes),
      requestSerialize: (message: RpcRequest<N>) => Buffer.from(request.encode(message).finish()),
      responseDeserialize: (bytes: Buffer) => response.decode(bytes),
      responseSerialize: (message: RpcResponse<N>) => Buffer.from(response.encode(message).finish()),
    };
    this.server.addService({ [name]: definition }, { [name]: handler as never });
  }

  private record(rpc: RpcName, call: { metadata: Metadata; getDeadline(): Date | number }, request: unknown): void {
    const texts = Object.entries(call.metadata.getMap()).map(([key, value]) => [key, String(value)] as const);
    const timeoutMs = Number(call.getDeadline()) - Date.now();
    this.recorded.push({
      rpc,
      metadata: Object.fromEntries(texts),
      request,
      timeoutMs: Number.isFinite(timeoutMs) ? timeoutMs : undefined,
    });
  }

  private queuesOf(name: string): MessageQueue[] {
    const { types } = this;
    if (this.queues !== undefined) return this.queues(name);
    if (this.cluster.length === 0) return [queueOf(name, 'recorder', undefined, types)];
    return this.cluster.map(({ port }) => queueOf(name, `broker-${port}`, port, types));
  }
}

export function queueOf(
  name: string,
  broker: string,
  port: number | undefined,
  types: readonly MessageType[] = [MessageType.NORMAL],
): MessageQueue {
  const addresses = [{ host: '127.0.0.1', port: port ?? 0 }];
  const endpoints = port === undefined ? undefined : { scheme: AddressScheme.IPv4, addresses };
  return {
    topic: { resourceNamespace: '', name },
    id: 0,
    permission: Permission.READ_WRITE,
    broker: { name: broker, id: 0, endpoints },
    acceptMessageTypes: [...types],
  };
}

/** A message as a server delivers it, for {@link RecordingServer.deliver}. */
export function recordedMessage(
  topic: string,
  messageId: string,
  { body = Buffer.from(messageId), attempt = 1 } = {},
): Message {
  return {
    topic: { resourceNamespace: '', name: topic },
    userProperties: {},
    systemProperties: {
      keys: [],
      messageId,
      bodyEncoding: Encoding.IDENTITY,
      messageType: MessageType.NORMAL,
      bornTimestamp: new Date(0),
      bornHost: 'here',
      storeHost: 'there',
      receiptHandle: `handle of ${messageId}`,
      queueId: 0,
      queueOffset: 0n,
      deliveryAttempt: attempt,
    },
    body,
  };
}
