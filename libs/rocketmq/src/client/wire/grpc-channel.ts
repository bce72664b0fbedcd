// The channel on @grpc/grpc-js, and the meaning of its failures.

import type { SecureContext } from 'node:tls';
import type { CallOptions, ChannelCredentials, ChannelOptions, Client, Metadata, ServiceError } from '@grpc/grpc-js';
import { EMBEDDED_BROKER_METADATA } from '../../protocol/credentials/metadata.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { onAbort, reasonOf, signalOf } from '../../support/abort-source.js';
import { monotonicMs, realTimeIn, withDeadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import { MESSAGE_PREFIX_BYTES } from '../../support/grpc/framing.js';
import { GRPC_STATUS } from '../../support/grpc/status.js';
import type { ResolvedTls } from '../../support/tls.js';
import { type Channel, nameOfCall, type WireCall, type WireStream } from '../channel.js';
import { parseAddress } from '../endpoint.js';
import { ConnectionDiagnosis } from './connection-diagnosis.js';
import { statusFailure } from './status-failure.js';

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const asBytes = (bytes: Buffer): Uint8Array => bytes;

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': LIMITS.receivedFrameBytes,
  'grpc.max_send_message_length': LIMITS.receivedFrameBytes,
  // Sockets are not shared between clients: a shared pool would keep them open after a close.
  'grpc.use_local_subchannel_pool': 1,
  // The callers decide whether a call may be retried.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // The server allows one ping every five minutes (grpc-java's default policy).
  'grpc.keepalive_time_ms': 300_000,
  'grpc.keepalive_timeout_ms': 30_000,
} as const;

const NO_METHOD = '/apache.rocketmq.v2.MessagingService/Ping';
const { deadlineExceeded, unavailable, cancelled } = GRPC_STATUS;
const SILENCES: ReadonlySet<number> = new Set([deadlineExceeded, unavailable, cancelled]);

/** The package, which is there only for those who select it. */
type Grpc = typeof import('@grpc/grpc-js');

/** A gRPC channel to `host:port`. */
export class GrpcChannel implements Channel {
  private readonly client: Client;
  private readonly diagnosis: ConnectionDiagnosis;
  private received = 0;
  private embedded = false;

  /** @param tls undefined for plaintext */
  constructor(
    private readonly grpc: Grpc,
    private readonly address: string,
    tls?: ResolvedTls,
  ) {
    this.diagnosis = new ConnectionDiagnosis(parseAddress(address), tls);
    this.client = new grpc.Client(address, credentialsOf(grpc, tls), { ...CHANNEL_OPTIONS, ...targetName(tls) });
  }

  unary(call: WireCall, request: Buffer): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const { signal } = call;
      if (signal?.aborted) return reject(reasonOf(signal));
      const progress = this.begin(call);
      const under = this.client.makeUnaryRequest(
        call.path,
        asBuffer,
        asBytes,
        bare(request),
        ...contextOf(this.grpc, call),
        (error, response) => {
          unlisten();
          if (error === null) this.received++;
          if (error !== null) void this.failure(call, error, progress).then(reject);
          else resolve(response as Uint8Array);
        },
      );
      under.on('metadata', (headers) => this.takeHeaders(headers, progress));
      const unlisten = onAbort(signal, () => under.cancel());
    });
  }

  async serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void> {
    const { signal } = call;
    if (signal?.aborted) throw reasonOf(signal);
    const progress = this.begin(call);
    const under = this.client.makeServerStreamRequest(
      call.path,
      asBuffer,
      asBytes,
      bare(request),
      ...contextOf(this.grpc, call),
    );
    under.on('metadata', (headers) => this.takeHeaders(headers, progress));
    const unlisten = onAbort(signal, () => under.cancel());
    let rejection: unknown;
    try {
      for await (const frame of under) {
        this.received++;
        try {
          onMessage(frame as Uint8Array);
        } catch (error) {
          rejection = error;
          throw error;
        }
      }
    } catch (error) {
      throw error === rejection ? error : await this.failure(call, error as ServiceError, progress);
    } finally {
      unlisten();
      under.cancel();
    }
  }

  stream(call: WireCall): WireStream {
    const progress = this.begin(call);
    const under = this.client.makeBidiStreamRequest(call.path, asBuffer, asBytes, ...contextOf(this.grpc, call));
    under.on('metadata', (headers) => this.takeHeaders(headers, progress));
    // The stream can break while nobody reads; the reader of `frames` sees it in its iteration.
    under.on('error', () => {});
    const hear = (): void => {
      this.received++;
    };
    const failure = (error: unknown): Promise<Error> => this.failure(call, error as ServiceError, progress);
    async function* frames(): AsyncIterable<Uint8Array> {
      try {
        for await (const frame of under) {
          hear();
          yield frame as Uint8Array;
        }
      } catch (error) {
        throw await failure(error);
      }
    }
    return {
      frames: frames(),
      write: (frame) => {
        if (under.destroyed || under.writableEnded) return false;
        under.write(frame);
        return true;
      },
      end: () => under.end(),
      cancel: () => under.cancel(),
    };
  }

  get receivedCount(): number {
    return this.received;
  }

  get isConnected(): boolean {
    return this.client.getChannel().getConnectivityState(false) === this.grpc.connectivityState.READY;
  }

  get isEmbeddedBroker(): boolean {
    return this.embedded && this.isConnected;
  }

  isAlive(timeoutMs: number): Promise<boolean> {
    // grpc-js offers no ping. A server answers a call of an unknown method without queueing any work.
    const options = { deadline: realTimeIn(timeoutMs) };
    return new Promise((resolve) => {
      try {
        const metadata = new this.grpc.Metadata();
        this.client.makeUnaryRequest(NO_METHOD, asBuffer, asBytes, Buffer.alloc(0), metadata, options, (error) =>
          resolve(error === null || !SILENCES.has(error.code)),
        );
      } catch {
        // grpc-js throws once its channel is closed.
        resolve(false);
      }
    });
  }

  async retire(): Promise<void> {
    // grpc-js lets the calls in flight end, and closes the connection after the last one.
    this.close();
  }

  close(): void {
    this.diagnosis.close();
    this.client.close();
  }

  private begin({ timeoutMs = EXPLANATION_MS }: WireCall): CallProgress {
    if (!this.isConnected) this.diagnosis.watch(UNDER_WAY, () => !this.isConnected);
    return { explainedByMs: monotonicMs() + timeoutMs, hasHeaders: false };
  }

  private takeHeaders(headers: Metadata, progress: CallProgress): void {
    progress.hasHeaders = true;
    this.diagnosis.connected();
    if (headers.get(EMBEDDED_BROKER_METADATA).length > 0) this.embedded = true;
  }

  private async failure(call: WireCall, error: ServiceError, progress: CallProgress): Promise<Error> {
    if (call.signal?.aborted) return reasonOf(call.signal);
    const what = nameOfCall(call, this.address);
    const text = `${what}: ${error.details || error.message}`;
    const options = { cause: error };
    switch (error.code) {
      case unavailable:
        // The server of the next connection must identify itself again. The telemetry stream notices every break.
        this.embedded = false;
        if (NEVER_CONNECTED.test(error.details)) {
          const { details } = error;
          const failed = { text: details, attempt: details, wasAccepted: NOT_UNDERSTOOD.test(details), cause: error };
          const leftMs = Math.max(0, progress.explainedByMs - monotonicMs());
          const explained = await withDeadline(what, leftMs, signalOf(call.signal), (deadline) =>
            this.diagnosis.explain(what, failed, deadline),
          );
          if (call.signal?.aborted) return reasonOf(call.signal);
          if (explained !== undefined) return explained;
        }
        return new TransportError('UNAVAILABLE', text, outcomeOf(error, progress), true, options);
      case deadlineExceeded: {
        const outcome = wasStillWaiting(error) ? 'not-sent' : 'unknown';
        if (outcome === 'not-sent' && !this.isConnected) {
          const explained = this.diagnosis.explainSilence(what, error);
          if (explained !== undefined) return explained;
        }
        return new TransportError('DEADLINE_EXCEEDED', text, outcome, true, options);
      }
      default:
        return statusFailure(error.code, text, options);
    }
  }
}

function credentialsOf({ ChannelCredentials }: Grpc, tls: ResolvedTls | undefined): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  // grpc-js connects by itself and takes one context for all connections. Node reads its `context` for each of them.
  const latest: SecureContext = {
    get context() {
      return tls.secureContext().context;
    },
  };
  return ChannelCredentials.createFromSecureContext(latest, { rejectUnauthorized: !tls.acceptsAnyCertificate });
}

function targetName(tls: ResolvedTls | undefined): ChannelOptions {
  const name = tls?.serverName;
  return name === undefined ? {} : { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name };
}

/** The connection was established, and the data received was not HTTP/2 or not TLS; a rejected one has a different message. */
const NOT_UNDERSTOOD = /Failed to connect|Protocol error|socket disconnected|ECONNRESET|SSL routines/;
/** grpc-js connects by itself and does not identify its connections, only their failures. */
const UNDER_WAY = 'under way';
/** The same for a call without a deadline, in milliseconds. */
const EXPLANATION_MS = 10_000;

/** Only the message of grpc-js shows that a call ended before it had a connection; nothing of the request was written then. */
const NEVER_CONNECTED = /^No connection established|^Name resolution failed|^Channel closed before call started/;

/** grpc-js's message for REFUSED_STREAM: the server has not processed the call (RFC 9113, section 8.7). */
const REFUSED = 'Stream refused by server';

/** What is known of a call when it fails; it may be explained until `explainedByMs`, in {@link monotonicMs}. */
interface CallProgress {
  readonly explainedByMs: number;
  hasHeaders: boolean;
}

function outcomeOf({ details }: ServiceError, { hasHeaders }: CallProgress): 'not-sent' | 'unknown' {
  return NEVER_CONNECTED.test(details) || (details === REFUSED && !hasHeaders) ? 'not-sent' : 'unknown';
}

/** Whether the deadline passed while a call waited for a connection, and neither it nor an attempt before it had one. */
function wasStillWaiting({ details }: ServiceError): boolean {
  const text = details.toLowerCase();
  if (text.includes('remote_addr') || text.includes('previous attempts')) return false;
  return text.startsWith('deadline exceeded after ') && text.includes('waiting for ');
}

/** grpc-js writes the frame itself. */
function bare(request: Buffer): Buffer {
  return request.subarray(MESSAGE_PREFIX_BYTES);
}

/** The deadline is in real time, whatever clock the application uses. */
function contextOf({ Metadata }: Grpc, call: WireCall): [metadata: Metadata, options: CallOptions] {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(call.metadata)) metadata.set(key, value);
  return [metadata, call.timeoutMs === undefined ? {} : { deadline: realTimeIn(call.timeoutMs) }];
}
