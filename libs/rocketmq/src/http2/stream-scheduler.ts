// Which stream sends next: of those that wait for a window or for the socket, a frame of each in turn.

import type { Http2Stream, StreamConnection } from './stream.js';

export class StreamScheduler {
  private readonly blocked = new Set<Http2Stream>();
  private isPumping = false;
  /** Nothing of what is blocked can be written before the window of the connection grows. */
  private isStalled = false;

  constructor(private readonly connection: Pick<StreamConnection, 'mayWrite' | 'sendWindow'>) {}

  add(stream: Http2Stream): void {
    this.blocked.add(stream);
    // An end without data needs no window.
    if (stream.unsentBytes === 0) this.isStalled = false;
  }

  delete(stream: Http2Stream): void {
    this.blocked.delete(stream);
  }

  /** That of the connection. */
  windowGrew(): void {
    this.isStalled = false;
  }

  /** Writes what the windows allow. */
  pump(): void {
    // A caller that is notified of a write may send more: the loop below gets to it.
    if (this.isPumping || this.isStalled || this.blocked.size === 0) return;
    this.isPumping = true;
    const { connection } = this;
    let progressed = true;
    while (progressed && connection.mayWrite) {
      progressed = false;
      // A frame of each in turn: a large body does not hold up small ones.
      for (const stream of this.blocked) {
        if (!connection.mayWrite) break;
        const { wrote, isLeft } = stream.pump();
        progressed ||= wrote;
        if (!isLeft) this.blocked.delete(stream);
      }
    }
    this.isPumping = false;
    // Thousands of streams would be walked over with each new one.
    this.isStalled = !progressed && connection.sendWindow <= 0;
  }
}
