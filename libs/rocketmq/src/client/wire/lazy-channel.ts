// A channel whose implementation is loaded when it is selected: applications that use the default transport do not pay for another one.

import { raceAbort, withAnySignal } from '../../support/abort.js';
import { signalOf } from '../../support/abort-source.js';
import { Deadline } from '../../support/deadline.js';
import { StateError, TransportError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { type Channel, nameOfCall, type WireCall, type WireStream } from '../channel.js';

/** Forwards every call to a channel that is being loaded; calls made before wait for it, as long as their own time and signal let them. */
export class LazyChannel implements Channel {
  private loaded: Channel | undefined;
  private readonly loading: Promise<Channel>;
  private readonly closing = new AbortController();

  /**
   * @param address names the server in errors
   * @param load a rejection fails every call with `TRANSPORT_MISSING`
   */
  constructor(
    private readonly address: string,
    load: () => Promise<Channel>,
  ) {
    this.loading = load().then(
      (channel) => {
        this.loaded = channel;
        if (this.closing.signal.aborted) channel.close();
        return channel;
      },
      (cause: unknown) => {
        const text =
          `the package @grpc/grpc-js cannot be loaded (${describeError(cause)}); nothing was sent; ` +
          "install it with: npm install @grpc/grpc-js@1, or remove the option transport: 'grpc-js'";
        throw new TransportError('TRANSPORT_MISSING', text, 'not-sent', false, { cause });
      },
    );
    // Each call fails with this error; here it must not count as an unhandled rejection.
    this.loading.catch(() => {});
  }

  get receivedCount(): number {
    return this.loaded?.receivedCount ?? 0;
  }

  get isConnected(): boolean {
    return this.loaded?.isConnected ?? false;
  }

  get isEmbeddedBroker(): boolean {
    return this.loaded?.isEmbeddedBroker ?? false;
  }

  async unary(call: WireCall, request: Buffer): Promise<Uint8Array> {
    if (this.loaded !== undefined) return this.loaded.unary(call, request);
    const { channel, left } = await this.ready(call);
    return channel.unary(left, request);
  }

  async serverStream(call: WireCall, request: Buffer, onMessage: (message: Uint8Array) => void): Promise<void> {
    if (this.loaded !== undefined) return this.loaded.serverStream(call, request, onMessage);
    const { channel, left } = await this.ready(call);
    return channel.serverStream(left, request, onMessage);
  }

  stream(call: WireCall): WireStream {
    if (this.loaded !== undefined) return this.loaded.stream(call);
    /** What was asked of the stream before there was one. */
    const early: ((stream: WireStream) => unknown)[] = [];
    let opened: WireStream | undefined;
    const opening = this.ready(call).then(({ channel, left }) => {
      const stream = channel.stream(left);
      opened = stream;
      for (const act of early.splice(0)) act(stream);
      return stream;
    });
    let hasFailed = false;
    opening.catch(() => {
      hasFailed = true;
      early.length = 0;
    });
    const later = (act: (stream: WireStream) => unknown): boolean => {
      if (opened !== undefined) return act(opened) !== false;
      if (!hasFailed) early.push(act);
      return !hasFailed;
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
    const deadline = new Deadline(`ping of ${this.address}`, timeoutMs, this.closing.signal);
    try {
      const channel = this.loaded ?? (await raceAbort(this.loading, deadline.signal));
      return await channel.isAlive(Math.max(1, deadline.remainingMs()));
    } catch {
      return false;
    } finally {
      deadline.dispose();
    }
  }

  /** Before it is loaded nothing was written: then it closes. */
  async retire(): Promise<void> {
    if (this.loaded === undefined) this.close();
    await this.loaded?.retire();
  }

  close(): void {
    this.closing.abort(new StateError('CLOSED', 'the connection is closed; nothing was sent'));
    this.loaded?.close();
  }

  /** The channel once it is loaded, and the call with the time that is left of it. */
  private async ready(call: WireCall): Promise<{ readonly channel: Channel; readonly left: WireCall }> {
    const { timeoutMs } = call;
    const caller = signalOf(call.signal);
    const what = nameOfCall(call, this.address);
    const deadline = timeoutMs === undefined ? undefined : new Deadline(what, timeoutMs, caller);
    try {
      const channel = await withAnySignal([deadline?.signal ?? caller, this.closing.signal], (signal) =>
        raceAbort(this.loading, signal),
      );
      return { channel, left: { ...call, timeoutMs: deadline && Math.max(1, deadline.remainingMs()) } };
    } catch (error) {
      if (deadline?.hasPassed !== true) throw error;
      const text = `${what}: timed out after ${timeoutMs} ms while the transport was being loaded; nothing was sent`;
      throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
    } finally {
      deadline?.dispose();
    }
  }
}
