// The RPCs: decodes requests, calls handlers and encodes responses, and does what every call needs (authentication, faults, activity,
// errors as statuses). The transport is in grpc-wire/.
// Over 300 lines: one entry per RPC, and the same steps around each.

import { EMBEDDED_BROKER_METADATA, METADATA } from '../../protocol/credentials/metadata.js';
import { decodeRequest, TooManyFields } from '../../protocol/grpc/bounded-decoding.js';
import type { Status } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import {
  frameAnswer,
  type RpcMethod,
  type RpcName,
  type RpcRequest,
  type RpcResponse,
  rpcMethod,
  rpcNames,
} from '../../protocol/grpc/rpc.js';
import { GrpcError } from '../../support/grpc/status.js';
import { describeError } from '../../support/logger.js';
import type { Caller } from '../access/access-control.js';
import type { BrokerUser } from '../access/users.js';
import type { BrokerContext } from './broker-context.js';
import { type CallContext, callContext } from './call-context.js';
import { assertKept, CallFaults, scriptedAnswer } from './call-faults.js';
import type { ConnectionChoice } from './faults.js';
import { GrpcHttp2Server } from './grpc-wire/grpc-http2-server.js';
import { type CallHandler, type Method, oneMessage, type ServerCall } from './grpc-wire/server-call.js';
import { Listener } from './listener.js';
import type { ReceiveAnswer, Receiving } from './receiving.js';
import { statusOf } from './status.js';
import type { Telemetry } from './telemetry.js';

/** The real server's limit (`grpcMaxInboundMessageSize`). */
const MAX_REQUEST_BYTES = 130 * 1024 * 1024;
/** The version of the real server that this broker behaves like. */
const KEPT_VERSION = '5.5.0';
/** A telemetry stream has no deadline; it is broken if its client leaves this much unread. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;
/** How long a stop waits for responses in progress. Real time. */
const STOP_GRACE_MS = 300;

type UnaryName = Exclude<RpcName, 'receiveMessage' | 'telemetry' | 'pullMessage'>;
type UnaryHandler<N extends RpcName> = (
  request: RpcRequest<N>,
  context: CallContext,
) => Promise<RpcResponse<N>> | RpcResponse<N>;

/** The handlers of the RPCs. An RPC without a handler is answered with gRPC UNIMPLEMENTED, as by the real server. */
interface Handlers {
  readonly unary: { readonly [N in UnaryName]?: UnaryHandler<N> };
  readonly receiving: Receiving;
  readonly telemetry: Telemetry;
}

/** An authenticated call; `user` is undefined on a broker without users. */
interface KnownCall {
  readonly call: ServerCall;
  readonly user: BrokerUser | undefined;
}

type Open = (known: KnownCall) => CallHandler;
/** Ends a call with an error, in the form of its RPC. */
type Reject = (call: ServerCall, why: Status) => void;

/** An open stream, which faults and the stop can break. */
interface OpenStream {
  readonly clientId: string;
  readonly call: ServerCall;
}

/** Serves the messaging service on one or more ports. */
export class GrpcServer {
  private readonly wire: GrpcHttp2Server;
  private readonly listeners: Listener[] = [];
  private readonly streams = new Set<OpenStream>();
  /** Aborts when the broker stops, so that calls delayed by a fault are not executed later. */
  private readonly stopping = new AbortController();
  private readonly callFaults: CallFaults;

  constructor(
    private readonly broker: BrokerContext,
    private readonly handlers: Handlers,
  ) {
    this.callFaults = new CallFaults(broker, this.stopping.signal);
    const methods = new Map<string, Method>();
    for (const name of Object.keys(handlers.unary) as UnaryName[]) {
      const method = rpcMethod(name);
      const handler = handlers.unary[name] as UnaryHandler<UnaryName>;
      const reject: Reject = (call, why) => call.answer(frameAnswer(method, emptyAnswer(name, why)));
      const answer = (bytes: Buffer, known: KnownCall): void => this.answer(method, handler, known, bytes);
      const open: Open = (known) => oneMessage(answer, known);
      methods.set(method.path, this.forKnown(reject, open));
    }
    const receive = (bytes: Buffer, known: KnownCall): void => void this.receive(known, bytes);
    methods.set(
      rpcMethod('receiveMessage').path,
      this.forKnown(rejectReceive, (known) => oneMessage(receive, known)),
    );
    const telemetry: Open = (known) => this.openTelemetry(known);
    methods.set(rpcMethod('telemetry').path, this.forKnown(rejectTelemetry, telemetry));
    for (const { path } of rpcNames().map(rpcMethod)) if (!methods.has(path)) methods.set(path, unimplemented(path));
    this.wire = new GrpcHttp2Server(methods, {
      clock: broker.realClock,
      maxMessageBytes: MAX_REQUEST_BYTES,
      metadata: { [EMBEDDED_BROKER_METADATA]: KEPT_VERSION },
    });
  }

  /**
   * @returns the ports that were bound
   * @throws StateError `PORT_IN_USE`; the server must then be stopped
   */
  async listen(host: string, ports: readonly number[]): Promise<number[]> {
    const bound: number[] = [];
    for (const port of ports) {
      if (this.stopping.signal.aborted) break;
      const { realClock: clock, tls, faults } = this.broker;
      const admits = (at: number): boolean => faults.admitsConnection(at);
      const { room } = this.wire;
      const listener = new Listener((socket) => this.wire.accept(socket), { clock, tls, admits, room });
      this.listeners.push(listener);
      bound.push(await listener.listen(host, port));
    }
    return bound;
  }

  /** Breaks open connections. A client has those of its streams. */
  breakConnections({ port, clientId }: ConnectionChoice): void {
    if (clientId === undefined) {
      for (const listener of this.listeners)
        if ((port ?? listener.port) === listener.port) listener.destroyConnections();
      return;
    }
    for (const { call, clientId: own } of [...this.streams])
      if (own === clientId && (port ?? call.localPort) === call.localPort) call.disconnect();
  }

  /** Breaks the open streams of a client, or of all. */
  breakStreams(clientId: string | undefined): void {
    for (const stream of [...this.streams]) {
      if (clientId === undefined || stream.clientId === clientId) {
        stream.call.fail('unavailable', 'stream cut by a fault');
      }
    }
  }

  /** Ends all streams, waits for responses in progress, and closes every socket. */
  async stop(): Promise<void> {
    this.stopping.abort(new GrpcError('unavailable', 'the broker is stopping'));
    for (const listener of this.listeners) listener.stopListening();
    for (const { call } of [...this.streams]) call.finish();
    await this.wire.stop(STOP_GRACE_MS);
    for (const listener of this.listeners) listener.destroyConnections();
    this.broker.sessions.close();
  }

  /** Rejects unauthenticated callers by the headers of a call, before its body is read. */
  private forKnown(reject: Reject, open: Open): Method {
    return (call) => {
      let user: BrokerUser | undefined;
      try {
        user = this.broker.access.identify(call.metadata);
      } catch (error) {
        reject(call, statusOf(error));
        return { message() {}, halfClosed() {} };
      }
      return open({ call, user });
    };
  }

  /** Synchronous if the handler is: a promise would cost as much as handling the message. */
  private answer(
    method: RpcMethod<UnaryName>,
    handler: UnaryHandler<UnaryName>,
    known: KnownCall,
    bytes: Buffer,
  ): void {
    const { call } = known;
    const { activity } = this.broker;
    try {
      const answer = this.handle(method, handler, known, bytes);
      if (answer instanceof Promise) {
        const end = activity.begin(method.name, call.metadata[METADATA.clientId]);
        answer
          .then((settled) => call.answer(frameAnswer(method, settled)))
          .catch((error) => failed(method, call, error))
          .then(end);
        return;
      }
      activity.passed();
      call.answer(frameAnswer(method, answer));
    } catch (error) {
      failed(method, call, error);
    }
  }

  private handle(
    { name }: RpcMethod<UnaryName>,
    handler: UnaryHandler<UnaryName>,
    known: KnownCall,
    bytes: Buffer,
  ): Promise<RpcResponse<UnaryName>> | RpcResponse<UnaryName> {
    const request = decode(name, bytes);
    this.broker.access.admit(name, request, callerOf(known));
    const context = callContext(name, known.call.metadata, known.user);
    const fault = this.broker.faults.take(name, context.clientId);
    if (fault === undefined) return handler(request, context);
    return this.callFaults.before(fault, context.clientId).then(async (after) => {
      const answer = await handler(request, context);
      assertKept(after);
      if (after?.kind === 'answer') throw scriptedAnswer(after);
      return answer;
    });
  }

  private async receive(known: KnownCall, bytes: Buffer): Promise<void> {
    const { call, user } = known;
    let stream: OpenStream | undefined;
    try {
      const request = decode('receiveMessage', bytes);
      this.broker.access.admit('receiveMessage', request, callerOf(known));
      const context = callContext('receiveMessage', call.metadata, user);
      stream = this.open(context.clientId, call);
      const found = this.broker.faults.take('receiveMessage', context.clientId);
      const fault = found && (await this.callFaults.before(found, context.clientId));
      const answer = await this.handlers.receiving.receiveMessage(request, context, call);
      assertKept(fault);
      await sendReceived(call, answer);
    } catch (error) {
      if (error instanceof GrpcError) call.fail(error.status, error.message);
      else rejectReceive(call, statusOf(error));
    } finally {
      if (stream !== undefined) this.streams.delete(stream);
    }
  }

  private openTelemetry(known: KnownCall): CallHandler {
    const { call, user } = known;
    const method = rpcMethod('telemetry');
    const send = (command: RpcResponse<'telemetry'>): void => {
      if (call.unreadBytes > MAX_UNREAD_BYTES) call.breakOff();
      else void call.send(frameAnswer(method, command));
    };
    try {
      const context = callContext('telemetry', call.metadata, user);
      const stream = this.open(context.clientId, call);
      call.signal.addEventListener('abort', () => this.streams.delete(stream), { once: true });
      const take = this.handlers.telemetry.open(
        {
          send,
          end: () => call.finish(),
          fail: (failure, message) => call.fail(failure, message),
          signal: call.signal,
          remoteAddress: call.remoteAddress,
        },
        context,
      );
      return {
        message: (bytes) => {
          const command = decode('telemetry', bytes);
          // Each command is checked with the metadata that the stream was opened with, as on the real server.
          if (this.admits(command, known, context.clientId)) void take(command);
        },
        // The client half-closes the stream to disconnect.
        halfClosed: () => call.finish(),
      };
    } catch (error) {
      rejectTelemetry(call, statusOf(error));
      return { message() {}, halfClosed() {} };
    }
  }

  private admits(command: RpcRequest<'telemetry'>, known: KnownCall, clientId: string): boolean {
    const { access, sessions } = this.broker;
    try {
      access.admit('telemetry', command, callerOf(known));
      const before = sessions.find(clientId);
      // Without a stream, the earlier client is no longer connected.
      if (before?.push !== undefined) access.admitSuccessor(before, known.user);
      return true;
    } catch (error) {
      rejectTelemetry(known.call, statusOf(error));
      return false;
    }
  }

  private open(clientId: string, call: ServerCall): OpenStream {
    const stream: OpenStream = { clientId, call };
    this.streams.add(stream);
    return stream;
  }
}

/** An RPC that this broker does not implement, with the message of gRPC's Java server. */
function unimplemented(path: string): Method {
  return () => {
    throw new GrpcError('unimplemented', `Method ${path.slice(1)} is unimplemented`);
  };
}

function failed(method: RpcMethod<UnaryName>, call: ServerCall, error: unknown): void {
  if (error instanceof GrpcError) call.fail(error.status, error.message);
  else call.answer(frameAnswer(method, emptyAnswer(method.name, statusOf(error))));
}

async function sendReceived(call: ServerCall, answer: ReceiveAnswer): Promise<void> {
  const sent: Promise<boolean>[] = [];
  for (const item of answer.items) {
    sent.push(call.send(frameItem(item)));
    if (call.isCongested) await sent.at(-1);
  }
  call.finish();
  const firstLost = (await Promise.all(sent)).indexOf(false);
  if (firstLost >= 0) answer.releaseFrom(firstLost);
}

function callerOf({ call, user }: KnownCall): Caller {
  return { headers: call.metadata, user, from: call.remoteHost };
}

function rejectReceive(call: ServerCall, why: Status): void {
  call.answer(frameItem({ content: { $case: 'status', value: why } }));
}

function rejectTelemetry(call: ServerCall, why: Status): void {
  if (call.unreadBytes > MAX_UNREAD_BYTES) call.breakOff();
  else call.answer(frameAnswer(rpcMethod('telemetry'), { status: why, command: undefined }));
}

function frameItem(item: RpcResponse<'receiveMessage'>): Buffer {
  return frameAnswer(rpcMethod('receiveMessage'), item);
}

/** @throws GrpcError internal for bytes that cannot be decoded */
function decode<N extends RpcName>(name: N, bytes: Buffer): RpcRequest<N> {
  try {
    return decodeRequest(name, bytes);
  } catch (error) {
    if (error instanceof TooManyFields) throw new GrpcError('resourceExhausted', error.message);
    throw new GrpcError('internal', `the request of ${name} cannot be decoded: ${describeError(error)}`);
  }
}

/** A response that contains only its status. */
function emptyAnswer<N extends UnaryName>(name: N, answer: Status): RpcResponse<N> {
  return { ...rpcMethod(name).response.decode(new Uint8Array()), status: answer };
}
