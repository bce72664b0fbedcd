// The requests of one client id to a proxy and their answers: encoded, signed, sent, decoded.

import type { CredentialsSource } from '../protocol/credentials/credentials.js';
import { PollFramer } from '../protocol/grpc/fast/receive-frame.js';
import {
  type Codec,
  frameRequest,
  type RpcMethod,
  type RpcRequest,
  type RpcResponse,
  rpcMethod,
} from '../protocol/grpc/rpc.js';
import type { Abortable } from '../support/abort-source.js';
import { TransportError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import type { Channel, WireCall } from './channel.js';
import type { Endpoint } from './endpoint.js';
import type { RequestOptions, ServerCalls, TelemetryStream, UnaryRpc } from './server-calls.js';
import { SignedCalls } from './signed-calls.js';

/** What calls need of their connection. */
interface CallsConnection {
  readonly credentials: CredentialsSource;
  channel(endpoint: Endpoint): Channel;
  metadata(clientId: string): Record<string, string>;
}

/** Sends requests; {@link Client} documents what they throw. */
export class Calls implements ServerCalls {
  private readonly access: SignedCalls;
  private readonly polls = new PollFramer();

  constructor(
    private readonly connection: CallsConnection,
    private readonly clientId: string,
  ) {
    this.access = new SignedCalls(connection.credentials);
  }

  /** Resolves when a stream can be opened; undefined when there is nothing to wait for. */
  ready(signal?: Abortable): Promise<void> | undefined {
    return this.access.ready(signal);
  }

  unary<N extends UnaryRpc>(
    endpoint: Endpoint,
    rpc: N,
    request: RpcRequest<N>,
    options: RequestOptions,
  ): Promise<RpcResponse<N>> {
    const method = rpcMethod(rpc);
    const bytes = frameRequest(method, request);
    if (!this.access.areSigned) return this.ask(endpoint, method, bytes, options);
    return this.access.unary(() => this.ask(endpoint, method, bytes, options), options);
  }

  async receive(
    endpoint: Endpoint,
    request: RpcRequest<'receiveMessage'>,
    options: RequestOptions,
    onAnswer: (answer: RpcResponse<'receiveMessage'>) => void,
  ): Promise<void> {
    const method = rpcMethod('receiveMessage');
    const bytes = this.polls.frame(request) ?? frameRequest(method, request);
    const ask = (take: typeof onAnswer): Promise<void> =>
      this.connection.channel(endpoint).serverStream(this.wireCall(method.path, options), bytes, (answer) => {
        take(decode(options.what, method.response, answer));
      });
    return this.access.areSigned ? this.access.receive(ask, onAnswer, options) : ask(onAnswer);
  }

  telemetry(endpoint: Endpoint): TelemetryStream {
    const { path, request, response } = rpcMethod('telemetry');
    const metadata = this.connection.metadata(this.clientId);
    const stream = this.connection.channel(endpoint).stream({ path, metadata, timeoutMs: undefined });
    return {
      commands: decodeAll(response, stream.frames),
      write: (command) => stream.write(request.encode(command).finish()),
      end: () => stream.end(),
      cancel: () => stream.cancel(),
    };
  }

  /** The channels belong to the connection. */
  async close(): Promise<void> {}

  private async ask<N extends UnaryRpc>(
    endpoint: Endpoint,
    { path, response }: RpcMethod<N>,
    bytes: Buffer,
    options: RequestOptions,
  ): Promise<RpcResponse<N>> {
    const channel = this.connection.channel(endpoint);
    return decode(options.what, response, await channel.unary(this.wireCall(path, options), bytes));
  }

  private wireCall(path: string, { timeoutMs, signal }: RequestOptions): WireCall {
    return { path, metadata: this.connection.metadata(this.clientId), timeoutMs, signal };
  }
}

/** @throws TransportError when the answer is not a valid message: some server has accepted the request */
function decode<T>(what: string, codec: Codec<T>, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (error) {
    const message = `${what}: the answer cannot be decoded (${describeError(error)}); it may have taken effect. Is this a RocketMQ proxy?`;
    throw new TransportError('RPC_FAILED', message, 'unknown', false, { cause: error });
  }
}

async function* decodeAll<T>(codec: Codec<T>, frames: AsyncIterable<Uint8Array>): AsyncIterable<T> {
  for await (const bytes of frames) yield codec.decode(bytes);
}
