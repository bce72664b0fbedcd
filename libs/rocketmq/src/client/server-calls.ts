// The seam where calls are made: requests of the gRPC model, and who answers them. Calls.ts sends them to a proxy; gateway-calls.ts
// hands them to the gateway, which speaks to name servers and brokers.

import type { TelemetryCommand } from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import type { RpcName, RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import type { SessionMessage } from '../protocol/grpc/session-message.js';
import type { LevelChoice } from '../protocol/model/delay-chain.js';
import type { Abortable } from '../support/abort-source.js';
import type { Endpoint } from './endpoint.js';

/** The options of one request. */
export interface RequestOptions {
  /** A description of the operation, for errors: "send to order-created". */
  readonly what: string;
  /** The timeout in real time, in milliseconds. */
  readonly timeoutMs: number;
  /** Aborts the request with the signal's reason; the server may do the work nevertheless. */
  readonly signal?: Abortable;
  /**
   * Whether a change of the invisible duration postpones the next attempt, as opposed to a lease that goes on. Servers with POP treat both alike;
   * older ones keep a message for later only as a copy. Default: false.
   */
  readonly isRetry?: boolean;
  /** What is done with a delay that is no level, at brokers that delay by levels. Default: it is rejected. */
  readonly delayLevels?: LevelChoice;
}

/** The RPCs with one request and one answer. */
export type UnaryRpc = Exclude<RpcName, 'receiveMessage' | 'pullMessage' | 'telemetry'>;

/** A bidirectional stream of telemetry commands. */
export interface TelemetryStream {
  /** How long the answer to settings may take. Undefined: as long as servers usually need. */
  readonly answersWithinMs?: number | undefined;
  /** What the server sends, until it ends the stream; throws a TransportError when the stream breaks. */
  readonly commands: AsyncIterable<SessionMessage>;
  /** Sends one command; false when the stream has already ended. */
  write(command: TelemetryCommand): boolean;
  /** Half-closes the stream; the server then ends its half. */
  end(): void;
  /** Cancels the stream. */
  cancel(): void;
}

/** Makes the calls of one client id; `Client` documents what they throw. */
export interface ServerCalls {
  /** Resolves when a stream can be opened; undefined when there is nothing to wait for. */
  ready(signal?: Abortable): Promise<void> | undefined;
  unary<N extends UnaryRpc>(
    endpoint: Endpoint,
    rpc: N,
    request: RpcRequest<N>,
    options: RequestOptions,
  ): Promise<RpcResponse<N>>;
  receive(
    endpoint: Endpoint,
    request: RpcRequest<'receiveMessage'>,
    options: RequestOptions,
    onAnswer: (answer: RpcResponse<'receiveMessage'>) => void,
  ): Promise<void>;
  /** Call it once {@link ready}. */
  telemetry(endpoint: Endpoint): TelemetryStream;
  /** Ends what belongs to this client id alone. Idempotent. */
  close(): Promise<void>;
}
