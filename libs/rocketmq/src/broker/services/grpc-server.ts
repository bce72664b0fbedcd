// gRPC in and out: the server, and what surrounds every handler (caller, faults, activity, errors as statuses).
// The only file that knows grpc-js.

import {
  status as grpcStatus,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { Code, type Status } from '../../protocol/generated/apache/rocketmq/v2/definition.js';
import { type RpcName, type RpcRequest, type RpcResponse, rpcMethod } from '../../protocol/rpc.js';
import { sleep } from '../../support/clock.js';
import type { BrokerContext } from './broker-context.js';
import { type CallContext, callContext } from './call-context.js';
import type { FaultAction } from './faults.js';
import { Listener } from './listener.js';
import type { ReceiveCall, Receiving } from './receiving.js';
import { AnswerError, statusOf } from './status.js';
import type { StreamFailure, Telemetry } from './telemetry.js';

/** The real server's limit (`grpcMaxInboundMessageSize`). */
const MAX_REQUEST_BYTES = 130 * 1024 * 1024;
/** How long a stop waits for answers on their way. Real time. */
const STOP_GRACE_MS = 300;

type UnaryName = Exclude<RpcName, 'receiveMessage' | 'telemetry' | 'pullMessage'>;
type UnaryHandler<N extends RpcName> = (
  request: RpcRequest<N>,
  context: CallContext,
) => Promise<RpcResponse<N>> | RpcResponse<N>;

/** What the server calls. An RPC without a handler answers gRPC UNIMPLEMENTED, like the real server's. */
export interface Handlers {
  readonly unary: { readonly [N in UnaryName]?: UnaryHandler<N> };
  readonly receiving: Receiving;
  readonly telemetry: Telemetry;
}

// biome-ignore lint/suspicious/noExplicitAny: one handler table for requests of many types
type UnaryCall = ServerUnaryCall<any, unknown>;
type TelemetryCall = ServerDuplexStream<RpcRequest<'telemetry'>, RpcResponse<'telemetry'>>;
type ReceiveStream = ServerWritableStream<RpcRequest<'receiveMessage'>, RpcResponse<'receiveMessage'>>;

/** An open stream, as faults and the stop need it. */
interface OpenStream {
  readonly clientId: string;
  fail(failure: StreamFailure, message: string): void;
  end(): void;
}

const FAILURES: Readonly<Record<StreamFailure, number>> = {
  invalidArgument: grpcStatus.INVALID_ARGUMENT,
  internal: grpcStatus.INTERNAL,
  unavailable: grpcStatus.UNAVAILABLE,
};

/** Serves the messaging service on one port. */
export class GrpcServer {
  private readonly server = new Server({
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_send_message_length': -1,
  });
  private readonly listener: Listener;
  private readonly streams = new Set<OpenStream>();

  constructor(
    private readonly broker: BrokerContext,
    private readonly handlers: Handlers,
  ) {
    const names = Object.keys(handlers.unary) as UnaryName[];
    const methods: RpcName[] = [...names, 'receiveMessage', 'telemetry'];
    const implementation: UntypedServiceImplementation = {
      receiveMessage: (call: ReceiveStream) => void this.receive(call),
      telemetry: (call: TelemetryCall) => this.openTelemetry(call),
    };
    for (const name of names) {
      implementation[name] = (call: UnaryCall, callback: sendUnaryData<unknown>) =>
        void this.answer(name, call, callback);
    }
    this.server.addService(Object.fromEntries(methods.map((name) => [name, definitionOf(name)])), implementation);
    const injector = this.server.createConnectionInjector(ServerCredentials.createInsecure());
    this.listener = new Listener((socket) => injector.injectConnection(socket));
  }

  /**
   * @returns the port that was bound
   * @throws StateError `PORT_IN_USE`
   */
  listen(host: string, port: number): Promise<number> {
    return this.listener.listen(host, port);
  }

  /** Breaks the open streams of a client, or of all. */
  breakStreams(clientId: string | undefined): void {
    for (const stream of [...this.streams]) {
      if (clientId === undefined || stream.clientId === clientId) stream.fail('unavailable', 'stream cut by a fault');
    }
  }

  /** Ends all streams, lets answers on their way get out, and closes every socket. */
  async stop(): Promise<void> {
    this.listener.stopListening();
    for (const stream of [...this.streams]) stream.end();
    const grace = new AbortController();
    const closed = new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
    await Promise.race([closed, sleep(this.broker.realClock, STOP_GRACE_MS, grace.signal).catch(() => {})]);
    grace.abort();
    this.server.forceShutdown();
    this.listener.destroyConnections();
  }

  private async answer(name: UnaryName, call: UnaryCall, callback: sendUnaryData<unknown>): Promise<void> {
    const end = this.broker.activity.begin(`${name} of ${String(call.metadata.get('x-mq-client-id')[0])}`);
    try {
      const context = callContext(name, call.metadata);
      const handler = this.handlers.unary[name] as UnaryHandler<UnaryName>;
      const fault = await this.applyFault(context);
      const response = await handler(call.request, context);
      if (fault?.kind === 'dropResponse') throw new BrokenCall('answer dropped by a fault');
      callback(null, response);
    } catch (error) {
      if (error instanceof BrokenCall) callback({ code: grpcStatus.UNAVAILABLE, details: error.message });
      else callback(null, emptyAnswer(name, statusOf(error)));
    } finally {
      end();
    }
  }

  private async receive(call: ReceiveStream): Promise<void> {
    const controller = new AbortController();
    call.on('cancelled', () => controller.abort());
    let stream: OpenStream | undefined;
    try {
      const context = callContext('receiveMessage', call.metadata);
      stream = this.open(context.clientId, call, controller);
      const fault = await this.applyFault(context);
      const receive: ReceiveCall = {
        remainingMs: remainingMs(call.getDeadline(), this.broker.realClock.nowMs()),
        signal: controller.signal,
      };
      const items = await this.handlers.receiving.receiveMessage(call.request, context, receive);
      if (controller.signal.aborted) return;
      if (fault?.kind === 'dropResponse') throw new BrokenCall('answer dropped by a fault');
      for (const item of items) call.write(item);
      call.end();
    } catch (error) {
      if (error instanceof BrokenCall) failCall(call, 'unavailable', error.message);
      else call.end(void call.write({ content: { $case: 'status', value: statusOf(error) } }));
    } finally {
      if (stream !== undefined) this.streams.delete(stream);
    }
  }

  private openTelemetry(call: TelemetryCall): void {
    const controller = new AbortController();
    try {
      const context = callContext('telemetry', call.metadata);
      const stream = this.open(context.clientId, call, controller);
      const close = (): void => {
        controller.abort();
        this.streams.delete(stream);
      };
      call.on('cancelled', close);
      const take = this.handlers.telemetry.open(
        {
          send: (command) => void (controller.signal.aborted || call.write(command)),
          end: () => stream.end(),
          fail: (failure, message) => stream.fail(failure, message),
          signal: controller.signal,
        },
        context,
      );
      call.on('data', (command: RpcRequest<'telemetry'>) => void take(command));
      // Half-closed by the client: it says goodbye.
      call.on('end', () => stream.end());
    } catch (error) {
      call.write({ status: statusOf(error) });
      call.end();
    }
  }

  private open(clientId: string, call: ReceiveStream | TelemetryCall, controller: AbortController): OpenStream {
    const finish = (how: () => void): void => {
      if (controller.signal.aborted) return;
      controller.abort();
      this.streams.delete(stream);
      how();
    };
    const stream: OpenStream = {
      clientId,
      fail: (failure, message) => finish(() => failCall(call, failure, message)),
      end: () => finish(() => call.end()),
    };
    this.streams.add(stream);
    return stream;
  }

  /** @returns the fault when it changes what happens after the work */
  private async applyFault({ rpc, clientId }: CallContext): Promise<FaultAction | undefined> {
    const fault = this.broker.faults.take(rpc, clientId);
    switch (fault?.kind) {
      case 'answer':
        throw new AnswerError(Code[fault.code], fault.message ?? 'scripted fault');
      case 'delay':
        await sleep(this.broker.realClock, fault.delayMs);
        return undefined;
      case 'cutStreams':
        this.broker.faults.cutStreams(clientId);
        throw new BrokenCall('stream cut by a fault');
      default:
        return fault;
    }
  }
}

/** Ends a call without an answer: the client must think the worst. */
class BrokenCall extends Error {}

function failCall(call: ReceiveStream | TelemetryCall, failure: StreamFailure, details: string): void {
  call.emit('error', Object.assign(new Error(details), { code: FAILURES[failure], details }));
}

function remainingMs(deadline: Date | number, nowMs: number): number {
  const atMs = deadline instanceof Date ? deadline.getTime() : deadline;
  return atMs === Number.POSITIVE_INFINITY ? atMs : atMs - nowMs;
}

function definitionOf(name: RpcName): ServiceDefinition[string] {
  const { path, kind, request, response } = rpcMethod(name);
  return {
    path,
    requestStream: kind === 'bidi',
    responseStream: kind !== 'unary',
    requestDeserialize: (bytes: Buffer) => request.decode(bytes),
    requestSerialize: (message: RpcRequest<typeof name>) => Buffer.from(request.encode(message).finish()),
    responseDeserialize: (bytes: Buffer) => response.decode(bytes),
    responseSerialize: (message: RpcResponse<typeof name>) => Buffer.from(response.encode(message).finish()),
  };
}

/** An answer that carries nothing but its status. */
function emptyAnswer(name: UnaryName, answer: Status): unknown {
  return { ...rpcMethod(name).response.decode(new Uint8Array()), status: answer };
}
