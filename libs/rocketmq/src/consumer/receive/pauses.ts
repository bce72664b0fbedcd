// What is paused: topics, whose polls and handlers stop; listeners, whose handlers stop; and the group, whose handlers stop and whose polls find out
// when it is resumed. Polls and messages are only counted here; their holders ask what to do with them.

import { type Abortable, onAbort, reasonOf } from '../../support/abort-source.js';

/** What happens to a held message that no handler has started. */
type Verdict = 'handle' | 'release';

/**
 * Decides by the name of a topic or of a listener whether polls and handlers may start. An open poll always ends by itself: a
 * server that learns of a canceled poll too late pops messages for it and hides them.
 */
export class Pauses {
  private isAllPaused = false;
  /** By the servers, over all instances. */
  private isGroupPaused = false;
  private readonly paused = new Set<string>();
  private readonly left = new Set<string>();
  /** Open polls, including those whose messages are being handed over. */
  private readonly polls = new Map<string, number>();
  private readonly waiting = new Set<() => void>();

  /** @param releasesFree whether a message can be released without losing an attempt */
  constructor(private readonly releasesFree: () => boolean) {}

  /** Whether it is paused in this process. */
  isPaused(name: string): boolean {
    return this.isAllPaused || this.paused.has(name);
  }

  /** Whether handlers may start. */
  isOpen(name: string): boolean {
    return !this.isGroupPaused && this.mayPoll(name);
  }

  /** No handler starts until {@link resumeGroup}; polls do. */
  pauseGroup(): void {
    this.isGroupPaused = true;
    this.changed();
  }

  resumeGroup(): void {
    this.isGroupPaused = false;
    this.changed();
  }

  /** Without a name: all of them, including future ones. */
  pause(name: string | undefined): void {
    if (name === undefined) this.isAllPaused = true;
    else this.paused.add(name);
    this.changed();
  }

  /** Without a name: all. With one: the others stay as they are. @param others the other topics, which stay paused by name */
  resume(name: string | undefined, others: readonly string[]): void {
    if (name === undefined) this.paused.clear();
    else {
      if (this.isAllPaused) for (const other of others) this.paused.add(other);
      this.paused.delete(name);
    }
    this.isAllPaused = false;
    this.changed();
  }

  /** The topic is no longer subscribed to. */
  leave(name: string): void {
    this.left.add(name);
    this.changed();
  }

  /** The topic is subscribed to, possibly again. */
  join(name: string): void {
    this.left.delete(name);
    this.changed();
  }

  /** Waits until the topic may be polled. @throws the signal's reason */
  opened(name: string, signal: Abortable): Promise<void> {
    return this.until(() => this.mayPoll(name), signal);
  }

  /** Waits until it is paused or left. @throws the signal's reason */
  closed(name: string, signal: Abortable): Promise<void> {
    return this.until(() => !this.isOpen(name), signal);
  }

  /** Registers a poll. @returns a function to call when its messages are handed over; undefined: none may start */
  beginPoll(name: string): (() => void) | undefined {
    if (!this.mayPoll(name)) return undefined;
    this.polls.set(name, this.pollsOf(name) + 1);
    return () => {
      this.polls.set(name, this.pollsOf(name) - 1);
      this.changed();
    };
  }

  /**
   * Waits while nothing can be decided: a message of a paused topic is kept, unless it can be released without losing an attempt.
   * @throws the signal's reason
   */
  async verdict(name: string, signal: Abortable): Promise<Verdict> {
    const isReleased = (): boolean =>
      this.left.has(name) || (!this.isOpen(name) && this.pollsOf(name) === 0 && this.releasesFree());
    await this.until(() => isReleased() || this.isOpen(name), signal);
    return isReleased() ? 'release' : 'handle';
  }

  /** Waits until a released message cannot be fetched by a last open poll of this consumer. @throws the signal's reason */
  releaseAllowed(name: string, signal: Abortable): Promise<void> {
    return this.until(() => this.isOpen(name) || this.pollsOf(name) === 0, signal);
  }

  private mayPoll(name: string): boolean {
    return !this.isPaused(name) && !this.left.has(name);
  }

  private pollsOf(name: string): number {
    return this.polls.get(name) ?? 0;
  }

  private changed(): void {
    for (const look of [...this.waiting]) look();
  }

  private until(holds: () => boolean, signal: Abortable): Promise<void> {
    if (signal.aborted) return Promise.reject(reasonOf(signal));
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!holds()) return;
        this.waiting.delete(look);
        unlisten();
        resolve();
      };
      const unlisten = onAbort(signal, () => {
        this.waiting.delete(look);
        reject(reasonOf(signal));
      });
      this.waiting.add(look);
    });
  }
}
