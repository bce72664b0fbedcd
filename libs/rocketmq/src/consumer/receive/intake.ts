// Which topics may be polled and handled: paused, left, or neither. It knows of polls and messages only by number; who holds
// messages asks it what to do with them.

import { type Abortable, onAbort, reasonOf } from '../../support/abort-source.js';

/** What becomes of a held message that no handler has seen. */
export type Verdict = 'handle' | 'handBack';

/**
 * Decides for each topic of a push consumer whether polls and handlers may begin. A poll under way always ends by itself: a
 * server that is not told in time pops messages for a poll that was broken off, and hides them.
 */
export class Intake {
  private isAllPaused = false;
  private readonly paused = new Set<string>();
  private readonly left = new Set<string>();
  /** Polls under way, those whose messages are being handed on included. */
  private readonly polls = new Map<string, number>();
  private readonly waiting = new Set<() => void>();

  /** @param handsBackFree whether a message can be handed back without the loss of an attempt */
  constructor(private readonly handsBackFree: () => boolean) {}

  isPaused(topic: string): boolean {
    return this.isAllPaused || this.paused.has(topic);
  }

  isOpen(topic: string): boolean {
    return !this.isPaused(topic) && !this.left.has(topic);
  }

  /** Without a topic: all of them, those to come too. */
  pause(topic: string | undefined): void {
    if (topic === undefined) this.isAllPaused = true;
    else this.paused.add(topic);
    this.changed();
  }

  /** Without a topic: all. With one: the others stay as they are. @param others the other topics, to stay paused by name */
  resume(topic: string | undefined, others: readonly string[]): void {
    if (topic === undefined) this.paused.clear();
    else {
      if (this.isAllPaused) for (const other of others) this.paused.add(other);
      this.paused.delete(topic);
    }
    this.isAllPaused = false;
    this.changed();
  }

  /** The topic is subscribed to no more. */
  leave(topic: string): void {
    this.left.add(topic);
    this.changed();
  }

  /** The topic is subscribed to, perhaps again. */
  join(topic: string): void {
    this.left.delete(topic);
    this.changed();
  }

  /** Waits until the topic may be polled. @throws the signal's reason */
  opened(topic: string, signal: Abortable): Promise<void> {
    return this.until(() => this.isOpen(topic), signal);
  }

  /** Notes a poll. @returns what to call when its messages are handed on; undefined: none may begin */
  beginPoll(topic: string): (() => void) | undefined {
    if (!this.isOpen(topic)) return undefined;
    this.polls.set(topic, this.pollsOf(topic) + 1);
    return () => {
      this.polls.set(topic, this.pollsOf(topic) - 1);
      this.changed();
    };
  }

  /**
   * Waits while nothing can be decided: a message of a paused topic is kept, unless it can be handed back free.
   * @throws the signal's reason
   */
  async verdict(topic: string, signal: Abortable): Promise<Verdict> {
    const isGivenBack = (): boolean =>
      this.left.has(topic) || (this.isPaused(topic) && this.pollsOf(topic) === 0 && this.handsBackFree());
    await this.until(() => isGivenBack() || this.isOpen(topic), signal);
    return isGivenBack() ? 'handBack' : 'handle';
  }

  /** Waits until a message that is handed back does not meet a last poll of ours. @throws the signal's reason */
  handBackAllowed(topic: string, signal: Abortable): Promise<void> {
    return this.until(() => this.isOpen(topic) || this.pollsOf(topic) === 0, signal);
  }

  private pollsOf(topic: string): number {
    return this.polls.get(topic) ?? 0;
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
