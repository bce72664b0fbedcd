// One HTTP/2 connection of a server: its open streams, whether it is alive, and how it is closed. Independent of what it carries.

import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { ConnectionRoom } from '../connection-room.js';

/**
 * How many checks a ping may stay unsent while responses are unsent. Either the client process is stopped and the system's buffers are
 * full, or the connection is dead.
 */
const LOOKS_WHILE_ANSWERS_WAIT = 3;

/** The result of the last check. `bytes`: the bytes sent and received by then. */
type Life =
  | { readonly kind: 'alive'; readonly bytes: number }
  /** There was no traffic, so a ping was queued, which has not been sent yet. */
  | { readonly kind: 'asked'; readonly bytes: number; readonly looksLeft: number }
  | { readonly kind: 'ended' };

/**
 * Detects dead connections. After some invalid frames nghttp2 sends GOAWAY and stops reading, without notice to Node.js 20, so not
 * even the client's disconnect is detected. The only symptom is that a ping is never sent.
 */
export class Http2Connection {
  private readonly streams = new Set<ServerHttp2Stream>();
  private life: Life = { kind: 'alive', bytes: -1 };
  private bytesAtFarewell = 0;

  /** Shared by all streams, to avoid a closure for each call. */
  private readonly forget: (this: ServerHttp2Stream) => void;

  constructor(
    private readonly session: ServerHttp2Session,
    private readonly socket: Socket,
    private readonly room: ConnectionRoom,
  ) {
    const { streams } = this;
    this.forget = function () {
      streams.delete(this);
      if (streams.size === 0) room.answered(socket);
    };
  }

  /** Tracks a stream until it is closed. */
  hold(stream: ServerHttp2Stream): void {
    if (this.streams.size === 0) this.room.begin(this.socket);
    this.streams.add(stream);
    stream.on('close', this.forget);
  }

  /**
   * Closes the connection if it is dead. Checks must be at least a turn of the event loop apart, and long enough for a slow machine.
   * A silent client stays connected, even if its process is stopped and answers no ping.
   */
  look(): void {
    this.life = this.next(this.life, this.socket.bytesRead + this.socket.bytesWritten);
    if (this.life.kind === 'ended') void this.cut();
  }

  /** Sends GOAWAY to the client and resolves when the open calls have ended. */
  close(): Promise<void> {
    this.bytesAtFarewell = this.socket.bytesWritten;
    return new Promise((resolve) => {
      this.session.once('close', resolve);
      this.session.close();
    });
  }

  /** Closes the connection immediately. */
  async destroy(): Promise<void> {
    const isGivenUp = this.socket.bytesWritten === this.bytesAtFarewell;
    if (isGivenUp) await this.cut();
    else this.session.destroy();
  }

  private next(life: Life, bytes: number): Life {
    switch (life.kind) {
      case 'ended':
        return life;
      case 'alive':
        return life.bytes === bytes && this.ask()
          ? { kind: 'asked', bytes, looksLeft: this.looks() }
          : { ...life, bytes };
      case 'asked':
        if (life.bytes !== bytes) return { kind: 'alive', bytes };
        return life.looksLeft > 1 ? { ...life, looksLeft: life.looksLeft - 1 } : { kind: 'ended' };
    }
  }

  /** @returns whether a ping was queued; false if too many earlier pings are unanswered */
  private ask(): boolean {
    return this.session.destroyed || this.session.ping(() => {});
  }

  private looks(): number {
    for (const stream of this.streams) if (stream.writableLength > 0) return LOOKS_WHILE_ANSWERS_WAIT;
    return 1;
  }

  /**
   * Destroys the streams first. Node frees them in the next turn; if the session is garbage-collected before that while one of them
   * has an incomplete header block, an assertion (`current_nghttp2_memory_ == 0`) crashes the process.
   */
  private async cut(): Promise<void> {
    for (const stream of this.streams) stream.destroy();
    await turn();
    await turn();
    this.socket.destroy();
  }
}
