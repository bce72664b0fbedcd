// One endpoint's channel. All calls of an endpoint share one connection, since the server keeps a client's state (settings,
// transactions, receipt handles) in the one proxy that it talks to; when an address is gone, everything moves to the next.

import { TransportError } from '../support/errors.js';
import type { Channel, ChannelFactory, WireCall, WireStream } from './channel.js';
import { addressText, type Endpoint } from './endpoint.js';

/** A {@link Channel} over all addresses of an endpoint, on one of them at a time. */
export class EndpointChannel implements Channel {
  private index = 0;
  private current: Channel;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly open: ChannelFactory,
  ) {
    this.current = open(this.addressAt(0));
  }

  async unary(call: WireCall, request: Uint8Array): Promise<Uint8Array> {
    const used = this.current;
    try {
      return await used.unary(call, request);
    } catch (error) {
      this.moveOn(used, error);
      throw error;
    }
  }

  async *serverStream(call: WireCall, request: Uint8Array): AsyncIterable<Uint8Array> {
    const used = this.current;
    try {
      yield* used.serverStream(call, request);
    } catch (error) {
      this.moveOn(used, error);
      throw error;
    }
  }

  stream(call: WireCall): WireStream {
    const used = this.current;
    const stream = used.stream(call);
    const moveOn = (error: unknown): void => this.moveOn(used, error);
    async function* frames(): AsyncIterable<Uint8Array> {
      try {
        yield* stream.frames;
      } catch (error) {
        moveOn(error);
        throw error;
      }
    }
    return { ...stream, frames: frames() };
  }

  close(): void {
    this.current.close();
  }

  private moveOn(used: Channel, error: unknown): void {
    const gone = error instanceof TransportError && error.code === 'UNAVAILABLE';
    if (!gone || used !== this.current || this.endpoint.addresses.length === 1) return;
    this.index = (this.index + 1) % this.endpoint.addresses.length;
    this.current = this.open(this.addressAt(this.index));
    used.close();
  }

  private addressAt(index: number): string {
    // An endpoint has at least one address, and `index` stays below their number.
    return addressText(this.endpoint.addresses[index] as Endpoint['addresses'][number]);
  }
}
