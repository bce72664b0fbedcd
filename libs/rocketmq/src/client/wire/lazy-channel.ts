// A channel whose implementation is loaded when it is selected: applications that use the default transport do not pay for another one.

import type { Channel, WireCall, WireStream } from '../channel.js';

/** Forwards every call to a channel that is being loaded; calls made before wait for it. */
export class LazyChannel implements Channel {
  private loaded: Channel | undefined;
  private readonly loading: Promise<Channel>;
  private isClosed = false;

  /** @param load a rejection fails every call */
  constructor(load: () => Promise<Channel>) {
    this.loading = load().then((channel) => {
      this.loaded = channel;
      if (this.isClosed) channel.close();
      return channel;
    });
    // Who calls gets the failure.
    this.loading.catch(() => {});
  }

  get heard(): number {
    return this.loaded?.heard ?? 0;
  }

  get isConnected(): boolean {
    return this.loaded?.isConnected ?? false;
  }

  get isEmbeddedBroker(): boolean {
    return this.loaded?.isEmbeddedBroker ?? false;
  }

  async unary(call: WireCall, request: Buffer): Promise<Uint8Array> {
    return (this.loaded ?? (await this.loading)).unary(call, request);
  }

  async serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void> {
    return (this.loaded ?? (await this.loading)).serverStream(call, request, onMessage);
  }

  stream(call: WireCall): WireStream {
    if (this.loaded !== undefined) return this.loaded.stream(call);
    /** What was asked of the stream before there was one. */
    const early: ((stream: WireStream) => unknown)[] = [];
    let opened: WireStream | undefined;
    const opening = this.loading.then((channel) => {
      const stream = channel.stream(call);
      opened = stream;
      for (const act of early.splice(0)) act(stream);
      return stream;
    });
    opening.catch(() => {});
    const later = (act: (stream: WireStream) => unknown): boolean => {
      if (opened !== undefined) return act(opened) !== false;
      early.push(act);
      return true;
    };
    async function* frames(): AsyncIterable<Uint8Array> {
      yield* (await opening).frames;
    }
    return {
      frames: frames(),
      write: (frame) => later((stream) => stream.write(frame)),
      end: () => void later((stream) => stream.end()),
      cancel: () => void later((stream) => stream.cancel()),
    };
  }

  async isAlive(timeoutMs: number): Promise<boolean> {
    const channel = this.loaded ?? (await this.loading.catch(() => undefined));
    return channel?.isAlive(timeoutMs) ?? false;
  }

  async retire(): Promise<void> {
    const channel = this.loaded ?? (await this.loading.catch(() => undefined));
    await channel?.retire();
  }

  close(): void {
    this.isClosed = true;
    this.loaded?.close();
  }
}
