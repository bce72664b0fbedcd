// The port between client and wire: a method path and bytes. What is behind it can change without anyone above knowing.

/** What one call carries beside its bytes. */
export interface WireCall {
  readonly path: string;
  /** Made for this call: the channel may add to it. */
  readonly metadata: Record<string, string>;
  /** Real time until the call fails with `DEADLINE_EXCEEDED`. Undefined only for the telemetry stream, which has no end. */
  readonly timeoutMs: number | undefined;
  readonly signal?: AbortSignal;
}

/** Names call and server in errors: "SendMessage to 127.0.0.1:8081". */
export function nameOfCall({ path }: WireCall, address: string): string {
  return `${path.slice(path.lastIndexOf('/') + 1)} to ${address}`;
}

/** A stream in both directions. Nothing is buffered without bound: the server speaks rarely here. */
export interface WireStream {
  /** What the server sends, until it ends the stream; throws a TransportError when the stream breaks. */
  readonly frames: AsyncIterable<Uint8Array>;
  /** Sends one message; false when the stream is already over. */
  write(frame: Uint8Array): boolean;
  /** Says that nothing more will be written; the server then ends its half. */
  end(): void;
  /** Breaks the stream off. */
  cancel(): void;
}

/**
 * One connection to one address. Every failure is a TransportError, or the reason of the call's signal. Requests come framed, with
 * gRPC's prefix before them; answers and the messages of a stream in both directions are bare.
 */
export interface Channel {
  unary(call: WireCall, request: Buffer): Promise<Uint8Array>;
  /**
   * Calls `onMessage` for each answer as it comes; resolves when the server has ended the stream. What `onMessage` throws breaks
   * the call off and is the failure.
   */
  serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void>;
  stream(call: WireCall): WireStream;
  /** How many answers and messages have come so far: whether the server was heard. */
  readonly heard: number;
  /** Whether a call would be written at once. */
  readonly isConnected: boolean;
  /** Whether the server at the other end of the present connection announced itself as an embedded broker. */
  readonly isEmbeddedBroker: boolean;
  /** Whether whoever stands at the other end answers within this real time, whatever it has to do. Never rejects. */
  isAlive(timeoutMs: number): Promise<boolean>;
  /**
   * Takes no further call, and lets those that were written end by themselves. A call that has no connection yet is not sent.
   * Resolves when the connection needs no {@link close} any more; never rejects.
   */
  retire(): Promise<void>;
  /** Closes the connection; calls under way fail. Repeating it does nothing. */
  close(): void;
}

/** Makes a channel to `host:port`; connects at the first call. */
export type ChannelFactory = (address: string) => Channel;
