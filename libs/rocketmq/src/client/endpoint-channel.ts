// One endpoint's channel. All calls of an endpoint share one connection, since the server keeps a client's state (settings,
// transactions, receipt handles) in the one proxy that it talks to; when an address is gone, everything moves to the next.

import { StateError, TransportError } from '../support/errors.js';
import type { Channel, ChannelFactory, WireCall, WireStream } from './channel.js';
import { addressText, type Endpoint } from './endpoint.js';

/** A {@link Channel} over all addresses of an endpoint, on one of them at a time. */
export class EndpointChannel implements Channel {
  private index = 0;
  private current: Channel;
  private readonly streams = new Set<WireStream>();
  private closed = false;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly open: ChannelFactory,
  ) {
    this.current = open(this.addressAt(0));
  }

  get isConnected(): boolean {
    return this.current.isConnected;
  }

  async unary(call: WireCall, request: Uint8Array): Promise<Uint8Array> {
    const used = this.usable();
    try {
      return await used.unary(call, request);
    } catch (error) {
      this.judge(used, error);
      throw error;
    }
  }

  async *serverStream(call: WireCall, request: Uint8Array): AsyncIterable<Uint8Array> {
    const used = this.usable();
    try {
      yield* used.serverStream(call, request);
    } catch (error) {
      this.judge(used, error);
      throw error;
    }
  }

  stream(call: WireCall): WireStream {
    const used = this.usable();
    const stream = used.stream(call);
    this.streams.add(stream);
    const { streams } = this;
    const judge = (error: unknown): void => this.judge(used, error);
    async function* frames(): AsyncIterable<Uint8Array> {
      try {
        yield* stream.frames;
      } catch (error) {
        judge(error);
        throw error;
      } finally {
        streams.delete(stream);
      }
    }
    return { ...stream, frames: frames() };
  }

  /** Repeating it does nothing. */
  close(): void {
    this.closed = true;
    this.current.close();
  }

  private usable(): Channel {
    if (this.closed) throw new StateError('CLOSED', 'the connection is closed; nothing was sent');
    return this.current;
  }

  /** Moves on to the next address when this failure says that the present one is gone. */
  private judge(used: Channel, error: unknown): void {
    // Several calls may fail together; the first of them moves all. After the end, nothing is opened again.
    if (this.closed || used !== this.current || this.endpoint.addresses.length === 1) return;
    if (!isGone(used, error)) return;
    this.index = (this.index + 1) % this.endpoint.addresses.length;
    this.current = this.open(this.addressAt(this.index));
    used.close();
    // The new server does not know the settings; a stream left on the old one would hide that.
    for (const stream of this.streams) stream.cancel();
    this.streams.clear();
  }

  private addressAt(index: number): string {
    // An endpoint has at least one address, and `index` stays below their number.
    return addressText(this.endpoint.addresses[index] as Endpoint['addresses'][number]);
  }
}

/** A refused or broken connection, or one that did not come about in the time of a call (packets may be lost silently). */
function isGone(used: Channel, error: unknown): boolean {
  if (!(error instanceof TransportError)) return false;
  return error.code === 'UNAVAILABLE' || (error.code !== 'RPC_FAILED' && !used.isConnected);
}
