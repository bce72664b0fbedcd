// One TCP connection to a name server or broker: sends requests and matches answers. Addresses and reconnecting are in
// remoting-client.ts.

import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { FrameDecoder, MalformedFrame, type RemotingFrame } from '../protocol/remoting/frame.js';
import { abortReason, raceAbort } from '../support/abort.js';
import { TransportError } from '../support/errors.js';
import type { ResolvedTls } from '../support/tls.js';
import { tlsFailure } from '../support/tls-failure.js';
import { encodeRequest, malformedAnswer, type RemotingRequest } from './remoting-request.js';

interface PendingCall {
  readonly resolve: (answer: RemotingFrame) => void;
  readonly reject: (error: Error) => void;
}

type ConnectionState = { readonly kind: 'open' } | { readonly kind: 'closed'; readonly why: Error };

/** An open connection. It stays open until `close()`, or until the server or a malformed answer ends it. */
export class RemotingConnection {
  private state: ConnectionState = { kind: 'open' };
  private nextOpaque = 1;
  private heard = false;
  private readonly pending = new Map<number, PendingCall>();
  /** Resolves when the socket is closed by either side. */
  readonly ended: Promise<void>;

  private constructor(
    readonly address: string,
    private readonly socket: Socket,
    maxFrameBytes: number,
    private readonly onEnd: () => void,
  ) {
    const decoder = new FrameDecoder(maxFrameBytes);
    socket.on('data', (chunk: Buffer) => this.receive(decoder, chunk));
    socket.on('error', (error) => {
      // TLS 1.3: a rejected or missing client certificate is reported only after the client has finished its handshake.
      const refusal = this.heard ? undefined : tlsFailure(`connection to ${address}`, error.message, error);
      this.end(refusal ?? connectionLost(address, error.message, error));
    });
    this.ended = new Promise((resolve) => {
      socket.once('close', () => {
        this.end(connectionLost(address, 'the server closed the connection'));
        resolve();
      });
    });
  }

  /**
   * Connects, or gives up when the signal aborts. `onEnd` is called once, as soon as the connection takes no more calls.
   * @param tls undefined for plaintext
   * @throws TransportError `UNAVAILABLE` or `TLS_FAILED` (not-sent) that names the address, or the signal's reason
   */
  static async open(
    address: string,
    maxFrameBytes: number,
    tls: ResolvedTls | undefined,
    signal: AbortSignal,
    onEnd: () => void,
  ): Promise<RemotingConnection> {
    const socket = tls === undefined ? connect({ ...splitAddress(address), noDelay: true }) : tlsSocket(address, tls);
    try {
      await raceAbort(connected(socket, tls === undefined ? 'connect' : 'secureConnect'), signal);
    } catch (cause) {
      socket.destroy();
      if (signal.aborted) throw abortReason(signal);
      const reason = cause instanceof Error ? cause.message : String(cause);
      const failure = tls && tlsFailure(`cannot connect to ${address}`, reason, cause);
      if (failure !== undefined) throw failure;
      const question = `check that it is running and reachable from here${tls === undefined ? '' : ', and that it uses TLS'}`;
      const message = `cannot connect to ${address}: ${reason}; nothing was sent; ${question}`;
      throw new TransportError('UNAVAILABLE', message, 'not-sent', true, { cause });
    }
    return new RemotingConnection(address, socket, maxFrameBytes, onEnd);
  }

  /**
   * Sends a request and waits for its answer, whatever the answer's code.
   * @throws TransportError when the connection ends first, or the signal's reason
   */
  async call(request: RemotingRequest, signal: AbortSignal): Promise<RemotingFrame> {
    if (this.state.kind === 'closed') {
      const { why } = this.state;
      if (why instanceof TransportError && why.code === 'TLS_FAILED') throw why;
      const text = `${this.address}: ${why.message}; nothing was sent`;
      throw new TransportError('UNAVAILABLE', text, 'not-sent', true, { cause: why });
    }
    const opaque = this.nextOpaque++;
    const answer = new Promise<RemotingFrame>((resolve, reject) => this.pending.set(opaque, { resolve, reject }));
    try {
      this.socket.write(encodeRequest(request, opaque));
      return await raceAbort(answer, signal);
    } finally {
      this.pending.delete(opaque);
    }
  }

  /** Closes the connection; pending calls fail. Resolves when the socket is closed. Idempotent. */
  async close(): Promise<void> {
    this.end(connectionLost(this.address, 'the admin client was closed'));
    await this.ended;
  }

  /** Whether the server has sent anything. */
  get wasHeard(): boolean {
    return this.heard;
  }

  private receive(decoder: FrameDecoder, chunk: Buffer): void {
    this.heard = true;
    let frames: RemotingFrame[];
    try {
      frames = decoder.push(chunk);
    } catch (error) {
      this.end(error instanceof MalformedFrame ? malformedAnswer(error) : (error as Error));
      return;
    }
    for (const frame of frames) {
      // An unknown number belongs to a late answer of an abandoned call. Requests from the server need no reply here.
      if (frame.isResponse) this.pending.get(frame.opaque)?.resolve(frame);
    }
  }

  private end(error: Error): void {
    if (this.state.kind === 'closed') return;
    this.state = { kind: 'closed', why: error };
    for (const call of this.pending.values()) call.reject(error);
    this.pending.clear();
    this.socket.destroy();
    this.onEnd();
  }
}

function tlsSocket(address: string, { secureContext, serverName, acceptsAnyCertificate }: ResolvedTls): Socket {
  const { host, port } = splitAddress(address);
  const servername = serverName ?? (isIP(host) === 0 ? host : '');
  const socket = connectTls({ host, port, secureContext, servername, rejectUnauthorized: !acceptsAnyCertificate });
  return socket.setNoDelay(true);
}

function connected(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once('error', reject);
  });
}

function connectionLost(address: string, why: string, cause?: Error): TransportError {
  const message = `${address}: ${why} before it answered; the request may have taken effect; repeating it is safe`;
  return new TransportError('UNAVAILABLE', message, 'unknown', true, { cause });
}

export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) };
}
