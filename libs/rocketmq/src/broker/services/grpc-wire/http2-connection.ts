// One HTTP/2 connection of a server: what is open on it, whether it still lives, and its end. What is said on it is not known here.

import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { ConnectionRoom } from '../connection-room.js';

/**
 * How many looks a ping may take to get out while answers wait: for a client that stands still and has left so much unread that the
 * system takes no more, or because the connection was given up before they went.
 */
const LOOKS_WHILE_ANSWERS_WAIT = 3;

/** What the last look saw. `bytes`: how many had gone both ways. */
type Life =
  | { readonly kind: 'alive'; readonly bytes: number }
  /** Nothing moved, so a ping was sent; of it nothing has gone out yet. */
  | { readonly kind: 'asked'; readonly bytes: number; readonly looksLeft: number }
  | { readonly kind: 'ended' };

/**
 * A connection as its server needs it. nghttp2 gives a connection up at some broken frames without notice to Node.js 20: it says
 * GOAWAY to the client, reads no more, and so no end of the client is seen, either. Nothing tells but that a ping stays where it is.
 */
export class Http2Connection {
  private readonly streams = new Set<ServerHttp2Stream>();
  private life: Life = { kind: 'alive', bytes: -1 };
  private bytesAtFarewell = 0;

  /** One for all streams: there is one for each call. */
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

  /** Takes a stream until it is closed. */
  hold(stream: ServerHttp2Stream): void {
    if (this.streams.size === 0) this.room.begin(this.socket);
    this.streams.add(stream);
    stream.on('close', this.forget);
  }

  /**
   * Ends the connection when it was given up. Looks must lie a turn of the event loop apart, and long enough for a slow machine.
   * A client that is silent, even one that stands still and answers no ping, stays.
   */
  look(): void {
    this.life = this.next(this.life, this.socket.bytesRead + this.socket.bytesWritten);
    if (this.life.kind === 'ended') void this.cut();
  }

  /** Tells the client to go elsewhere (GOAWAY) and lets open calls end. Resolves when they have. */
  close(): Promise<void> {
    this.bytesAtFarewell = this.socket.bytesWritten;
    return new Promise((resolve) => {
      this.session.once('close', resolve);
      this.session.close();
    });
  }

  /** Ends at once what {@link close} did not. */
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

  /** @returns whether bytes must follow; not so when many pings went out that a client still has to answer */
  private ask(): boolean {
    return this.session.destroyed || this.session.ping(() => {});
  }

  private looks(): number {
    for (const stream of this.streams) if (stream.writableLength > 0) return LOOKS_WHILE_ANSWERS_WAIT;
    return 1;
  }

  /**
   * Streams first: Node frees them with the next turn only, and when its collector takes their session in between while one of them
   * has half a header block, an assertion (`current_nghttp2_memory_ == 0`) ends the process.
   */
  private async cut(): Promise<void> {
    for (const stream of this.streams) stream.destroy();
    await turn();
    await turn();
    this.socket.destroy();
  }
}
