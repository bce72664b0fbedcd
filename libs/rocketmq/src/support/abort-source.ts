// A cancellation that is signaled once. Most listeners are inside this library and need no AbortSignal, which is expensive to
// create; the application gets one when it asks for it.

import { abortReason, listenTo } from './abort.js';

/** What {@link onAbort} can listen to. */
export type Abortable = AbortSignal | AbortSource;

/** Like an AbortController whose signal is created on first access. */
export class AbortSource {
  private why: Error | undefined;
  private controller: AbortController | undefined;
  /** A set once there are several: most have one. */
  private listeners: (() => void) | Set<() => void> | undefined = undefined;

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
    this.controller?.abort(reason);
    const { listeners } = this;
    // One that another listener removes is not called, as with an AbortSignal.
    if (listeners instanceof Set) for (const listener of listeners) listener();
    else listeners?.();
    this.listeners = undefined;
  }

  /** @internal Use {@link onAbort}. */
  listen(listener: () => void): void {
    const { listeners } = this;
    if (listeners === undefined) this.listeners = listener;
    else if (listeners instanceof Set) listeners.add(listener);
    else this.listeners = new Set([listeners, listener]);
  }

  /** @internal */
  unlisten(listener: () => void): void {
    if (this.listeners instanceof Set) this.listeners.delete(listener);
    else if (this.listeners === listener) this.listeners = undefined;
  }
}

/**
 * Calls the listener once when the target aborts, immediately if it already has.
 * @param target undefined never aborts
 * @returns a function that removes the listener
 */
export function onAbort(target: Abortable | undefined, listener: () => void): () => void {
  if (target?.aborted) listener();
  if (target === undefined || target.aborted) return () => {};
  if (target instanceof AbortSource) {
    target.listen(listener);
    return () => target.unlisten(listener);
  }
  return listenTo(target, listener);
}

/** For what needs an AbortSignal, which is expensive to create. */
export function signalOf(target: Abortable | undefined): AbortSignal | undefined {
  return target instanceof AbortSource ? target.signal : target;
}

/** Why it aborted, as an Error. */
export function reasonOf(target: Abortable | undefined): Error {
  return abortReason(target as AbortSignal | undefined);
}
