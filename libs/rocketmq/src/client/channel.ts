// The port between client and wire: a method path and bytes. It hides the gRPC implementation from the code above.

import type { Abortable } from '../support/abort-source.js';

/** The parameters of one call besides its bytes. */
export interface WireCall {
  readonly path: string;
  readonly metadata: Record<string, string>;
  /** Real time until the call fails with `DEADLINE_EXCEEDED`. Undefined only for the telemetry stream, which has no deadline. */
  readonly timeoutMs: number | undefined;
  readonly signal?: Abortable;
}

/** Names call and server in errors: "SendMessage to 127.0.0.1:8081". */
export function nameOfCall({ path }: WireCall, address: string): string {
  return `${path.slice(path.lastIndexOf('/') + 1)} to ${address}`;
}

/** A bidirectional stream. Buffers are bounded. */
export interface WireStream {
  /** What the server sends, until it ends the stream; throws a TransportError when the stream breaks. */
  readonly frames: AsyncIterable<Uint8Array>;
  /** Sends one message; false when the stream has already ended. */
  write(frame: Uint8Array): boolean;
  /** Half-closes the stream; the server then ends its half. */
  end(): void;
  /** Cancels the stream. */
  cancel(): void;
}

/**
 * One connection to one address. Every failure is a TransportError, or the reason of the call's signal. Requests are passed framed, with
 * the gRPC prefix; answers and the messages of a bidirectional stream are passed without it.
 */
export interface Channel {
  unary(call: WireCall, request: Buffer): Promise<Uint8Array>;
  /**
   * Calls `onMessage` for each answer as it arrives; resolves when the server has ended the stream. If `onMessage` throws, the call is
   * canceled and fails with that error.
   */
  serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void>;
  stream(call: Omit<WireCall, 'signal'>): WireStream;
  /** How many answers and messages have been received so far. */
  readonly receivedCount: number;
  /** Whether a call would be written immediately. */
  readonly isConnected: boolean;
  /** Whether the server of the current connection identified itself as an embedded broker. */
  readonly isEmbeddedBroker: boolean;
  /** Whether the peer answers a ping within this real time. Never rejects. */
  isAlive(timeoutMs: number): Promise<boolean>;
  /**
   * Accepts no more calls, and lets those that were written finish. A call that has no connection yet is not sent.
   * Resolves when the connection needs no {@link close} any more; never rejects.
   */
  retire(): Promise<void>;
  /** Closes the connection; calls in flight fail. Idempotent. */
  close(): void;
}

/** Creates a channel to `host:port`; connects at the first call. */
export type ChannelFactory = (address: string) => Channel;
