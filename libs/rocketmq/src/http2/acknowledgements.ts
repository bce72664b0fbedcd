// What this side waits for until its peer acknowledges a frame: pings, and SETTINGS, by which it learns that the frames before them were read.

import type { FrameOutput } from './frame-output.js';
import { FRAME } from './frames.js';

export const PING_BYTES = 8;
/** A peer that acknowledges none would fill the memory. */
const MAX_UNREAD_SETTINGS = 100;

/** A peer acknowledges in order. */
export class Acknowledgements {
  private readonly pings: ((isAnswered: boolean) => void)[] = [];
  /** What waits for the peer to read the frames so far, and will ask for it; then what waits for each SETTINGS that was sent. */
  private readers: (() => void)[] = [];
  private readonly unreadSettings: (() => void)[][] = [];
  private isEnded = false;

  constructor(private readonly output: FrameOutput) {}

  /** Sends a ping. @param onEnd called once: false when the connection ended before the answer */
  ping(onEnd: (isAnswered: boolean) => void): void {
    this.pings.push(onEnd);
    this.output.frame(FRAME.ping, 0, 0, Buffer.alloc(PING_BYTES));
  }

  /** Sends the settings of this side. */
  sendSettings(settings: Parameters<FrameOutput['settings']>[0]): void {
    this.output.settings(settings);
    this.unreadSettings.push([]);
  }

  /** Calls back when the peer has read all frames so far; never when the connection ends before, or the peer acknowledges nothing. */
  whenRead(callback: () => void): void {
    this.readers.push(callback);
    // One frame for all streams that are reset together.
    if (this.readers.length === 1) queueMicrotask(() => this.askWhetherRead());
  }

  /** A ping was answered. */
  takePing(): void {
    this.pings.shift()?.(true);
  }

  /** SETTINGS were acknowledged. */
  takeSettings(): void {
    for (const callback of this.unreadSettings.shift() ?? []) callback();
  }

  end(): void {
    this.isEnded = true;
    for (const onEnd of this.pings.splice(0)) onEnd(false);
  }

  /** SETTINGS, because servers close connections on which they get many pings. */
  private askWhetherRead(): void {
    const { readers } = this;
    this.readers = [];
    if (this.isEnded || this.unreadSettings.length > MAX_UNREAD_SETTINGS) return;
    this.output.settings([]);
    this.unreadSettings.push(readers);
  }
}
