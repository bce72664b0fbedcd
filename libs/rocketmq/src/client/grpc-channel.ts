// The channel on @grpc/grpc-js, and what its failures mean.

import {
  type CallOptions,
  Client,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { LIMITS } from '../protocol/limits.js';
import { abortReason } from '../support/abort.js';
import { realTimeIn } from '../support/deadline.js';
import { TransportError } from '../support/errors.js';
import type { Channel, WireCall, WireStream } from './channel.js';

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const asBytes = (bytes: Buffer): Uint8Array => bytes;

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': LIMITS.receivedFrameBytes,
  'grpc.max_send_message_length': LIMITS.receivedFrameBytes,
  // One client's sockets are its own: a shared pool would keep them open after its close.
  'grpc.use_local_subchannel_pool': 1,
  // Whether a call may be repeated is decided above, by what it does.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // The server refuses pings more often than every five minutes (grpc-java's default policy).
  'grpc.keepalive_time_ms': 300_000,
  'grpc.keepalive_timeout_ms': 30_000,
} as const;

/** A plaintext gRPC channel to `host:port`. */
export class GrpcChannel implements Channel {
  private readonly client: Client;

  constructor(private readonly address: string) {
    this.client = new Client(address, credentials.createInsecure(), CHANNEL_OPTIONS);
  }

  unary(call: WireCall, request: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const { signal } = call;
      if (signal?.aborted) return reject(abortReason(signal));
      const onAbort = (): void => under.cancel();
      const under = this.client.makeUnaryRequest(
        call.path,
        asBuffer,
        asBytes,
        request,
        metadataOf(call),
        optionsOf(call),
        (error, response) => {
          signal?.removeEventListener('abort', onAbort);
          if (error !== null) reject(this.failure(call, error));
          else resolve(response as Uint8Array);
        },
      );
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  async *serverStream(call: WireCall, request: Uint8Array): AsyncIterable<Uint8Array> {
    const { signal } = call;
    if (signal?.aborted) throw abortReason(signal);
    const under = this.client.makeServerStreamRequest(
      call.path,
      asBuffer,
      asBytes,
      request,
      metadataOf(call),
      optionsOf(call),
    );
    const onAbort = (): void => under.cancel();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      for await (const frame of under) yield frame as Uint8Array;
    } catch (error) {
      throw this.failure(call, error as ServiceError);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      under.cancel();
    }
  }

  stream(call: WireCall): WireStream {
    const under = this.client.makeBidiStreamRequest(call.path, asBuffer, asBytes, metadataOf(call), optionsOf(call));
    // A break may come while nobody reads; the reader of `frames` is told by its own iteration.
    under.on('error', () => {});
    const failure = (error: unknown): Error => this.failure(call, error as ServiceError);
    async function* frames(): AsyncIterable<Uint8Array> {
      try {
        for await (const frame of under) yield frame as Uint8Array;
      } catch (error) {
        throw failure(error);
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

  get isConnected(): boolean {
    return this.client.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  close(): void {
    this.client.close();
  }

  private failure(call: WireCall, error: ServiceError): Error {
    if (call.signal?.aborted) return abortReason(call.signal);
    const rpc = call.path.slice(call.path.lastIndexOf('/') + 1);
    const text = `${rpc} to ${this.address}: ${error.details || error.message}`;
    const options = { cause: error };
    switch (error.code) {
      case status.UNAVAILABLE:
        return new TransportError('UNAVAILABLE', text, outcomeOf(NEVER_CONNECTED, error), true, options);
      case status.DEADLINE_EXCEEDED:
        return new TransportError('DEADLINE_EXCEEDED', text, outcomeOf(STILL_WAITING, error), true, options);
      case status.CANCELLED:
        return new TransportError('ABORTED', text, 'unknown', true, options);
      default:
        return new TransportError('RPC_FAILED', `${text} (gRPC status ${error.code})`, 'unknown', false, options);
    }
  }
}

/** grpc-js tells in its text only that a call ended before it had a connection; nothing of the request was written then. */
const NEVER_CONNECTED = /^No connection established|^Name resolution failed|^Channel closed before call started/;
const STILL_WAITING = /^Deadline exceeded after (?!.*(?:remote_addr|previous attempts)).*waiting for /i;

function outcomeOf(notWritten: RegExp, error: ServiceError): 'not-sent' | 'unknown' {
  return notWritten.test(error.details ?? '') ? 'not-sent' : 'unknown';
}

function metadataOf(call: WireCall): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(call.metadata)) metadata.set(key, value);
  return metadata;
}

function optionsOf(call: WireCall): CallOptions {
  // gRPC deadlines are points of real time, whatever clock the application uses.
  return call.timeoutMs === undefined ? {} : { deadline: realTimeIn(call.timeoutMs) };
}
