// What is paused: topics, whose polls and handlers stop, or listeners, whose handlers stop. Polls and messages are known here only by
// number; their holders ask what to do with them.

import { type Abortable, onAbort, reasonOf } from '../../support/abort-source.js';

/** What becomes of a held message that no handler has seen. */
export type Verdict = 'handle' | 'handBack';

/**
 * Decides by name, of a topic or of a listener, whether polls and handlers may begin. A poll under way always ends by itself: a
 * server that is not told in time pops messages for a poll that was broken off, and hides them.
 */
export class Pauses {
  private isAllPaused = false;
  private readonly paused = new Set<string>();
  private readonly left = new Set<string>();
  /** Polls under way, those whose messages are being handed on included. */
  private readonly polls = new Map<string, number>();
  private readonly waiting = new Set<() => void>();

  /** @param handsBackFree whether a message can be handed back without the loss of an attempt */
  constructor(private readonly handsBackFree: () => boolean) {}

  isPaused(name: string): boolean {
    return this.isAllPaused || this.paused.has(name);
  }

  isOpen(name: string): boolean {
    return !this.isPaused(name) && !this.left.has(name);
  }

  /** Without a name: all of them, those to come too. */
  pause(name: string | undefined): void {
    if (name === undefined) this.isAllPaused = true;
    else this.paused.add(name);
    this.changed();
  }

  /** Without a name: all. With one: the others stay as they are. @param others the other topics, to stay paused by name */
  resume(name: string | undefined, others: readonly string[]): void {
    if (name === undefined) this.paused.clear();
    else {
      if (this.isAllPaused) for (const other of others) this.paused.add(other);
      this.paused.delete(name);
    }
    this.isAllPaused = false;
    this.changed();
  }

  /** The topic is subscribed to no more. */
  leave(name: string): void {
    this.left.add(name);
    this.changed();
  }

  /** The topic is subscribed to, perhaps again. */
  join(name: string): void {
    this.left.delete(name);
    this.changed();
  }

  /** Waits until the topic may be polled. @throws the signal's reason */
  opened(name: string, signal: Abortable): Promise<void> {
    return this.until(() => this.isOpen(name), signal);
  }

  /** Notes a poll. @returns what to call when its messages are handed on; undefined: none may begin */
  beginPoll(name: string): (() => void) | undefined {
    if (!this.isOpen(name)) return undefined;
    this.polls.set(name, this.pollsOf(name) + 1);
    return () => {
      this.polls.set(name, this.pollsOf(name) - 1);
      this.changed();
    };
  }

  /**
   * Waits while nothing can be decided: a message of a paused topic is kept, unless it can be handed back free.
   * @throws the signal's reason
   */
  async verdict(name: string, signal: Abortable): Promise<Verdict> {
    const isGivenBack = (): boolean =>
      this.left.has(name) || (this.isPaused(name) && this.pollsOf(name) === 0 && this.handsBackFree());
    await this.until(() => isGivenBack() || this.isOpen(name), signal);
    return isGivenBack() ? 'handBack' : 'handle';
  }

  /** Waits until a message that is handed back does not meet a last poll of ours. @throws the signal's reason */
  handBackAllowed(name: string, signal: Abortable): Promise<void> {
    return this.until(() => this.isOpen(name) || this.pollsOf(name) === 0, signal);
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
