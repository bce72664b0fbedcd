// An end that is announced once. Most of what listens to one is in this library and needs no AbortSignal, which is dear to make;
// the application gets one when it asks.

import { abortReason } from './abort.js';

/** What can be listened to by {@link onAbort}. */
export type Abortable = AbortSignal | AbortSource;

/** Like an AbortController whose signal is made when somebody asks for it. */
export class AbortSource {
  private why: Error | undefined;
  private controller: AbortController | undefined;
  private listeners: Set<() => void> | undefined;

  get aborted(): boolean {
    return this.why !== undefined;
  }

  /** Undefined before it aborts. */
  get reason(): Error | undefined {
    return this.why;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.why !== undefined) this.controller.abort(this.why);
    }
    return this.controller.signal;
  }

  /** The first reason stays. */
  abort(reason: Error): void {
    if (this.why !== undefined) return;
    this.why = reason;
    const { listeners } = this;
    this.listeners = undefined;
    this.controller?.abort(reason);
    for (const listener of listeners ?? []) listener();
  }

  /** @internal Use {@link onAbort}. */
  listen(listener: () => void): void {
    this.listeners ??= new Set();
    this.listeners.add(listener);
  }

  /** @internal */
  unlisten(listener: () => void): void {
    this.listeners?.delete(listener);
  }
}

/**
 * Calls the listener once when it aborts; at once when it has.
 * @param target undefined never aborts
 * @returns what takes the listener off
 */
export function onAbort(target: Abortable | undefined, listener: () => void): () => void {
  if (target?.aborted) listener();
  if (target === undefined || target.aborted) return () => {};
  if (target instanceof AbortSource) {
    target.listen(listener);
    return () => target.unlisten(listener);
  }
  target.addEventListener('abort', listener, { once: true });
  return () => target.removeEventListener('abort', listener);
}

/** Why it aborted, as an Error. */
export function reasonOf(target: Abortable | undefined): Error {
  return abortReason(target as AbortSignal | undefined);
}
