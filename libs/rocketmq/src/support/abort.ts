// Helpers for AbortSignals: the reason as an Error, a listener, a race against a signal, several signals combined.

import { setMaxListeners } from 'node:events';

/** The signal's reason as an Error, whatever the caller aborted with. */
export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`);
}

/**
 * Calls the listener once the signal aborts; never, if it already has.
 * Any number of calls may share a signal, of the application or of this library, and each listens only while it lasts: Node's warning about
 * a leak, which eleven of them set off, is turned off for it.
 * @returns a function that removes the listener
 */
export function listenTo(signal: AbortSignal, listener: () => void): () => void {
  setMaxListeners(0, signal);
  let current: (() => void) | undefined = listener;
  const onAbort = (): void => current?.();
  signal.addEventListener('abort', onAbort, { once: true });
  return () => {
    signal.removeEventListener('abort', onAbort);
    // A removed listener refers to the next one, so an old one may keep it for seconds, and with it what the call held.
    current = undefined;
  };
}

/**
 * Settles like the promise, or rejects with the signal's reason as soon as it aborts. The work behind the promise continues; if it
 * fails later, the error is ignored because nobody waits for it.
 */
export function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  // One promise, not two and a race: every request passes here.
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(abortReason(signal));
    const unlisten = listenTo(signal, onAbort);
    promise.then(
      (value) => {
        unlisten();
        resolve(value);
      },
      (error) => {
        unlisten();
        reject(error);
      },
    );
    // A promise that is settled already comes first.
    if (signal.aborted) void Promise.resolve().then(onAbort);
  });
}

/** A controller that aborts as soon as one of `signals` does. Call `unlink` when done, to remove the listeners from them. */
export function linkedController(signals: readonly (AbortSignal | undefined)[]): {
  readonly controller: AbortController;
  unlink(): void;
} {
  const controller = new AbortController();
  const links = signals.flatMap((signal) => {
    if (signal === undefined) return [];
    const onAbort = (): void => controller.abort(abortReason(signal));
    if (signal.aborted) onAbort();
    return [listenTo(signal, onAbort)];
  });
  return {
    controller,
    unlink: () => {
      for (const unlink of links) unlink();
    },
  };
}

/** Runs `work` with a signal that aborts as soon as one of `signals` does, and then removes its listeners from them. */
export async function withAnySignal<T>(
  signals: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { controller, unlink } = linkedController(signals);
  try {
    return await work(controller.signal);
  } finally {
    unlink();
  }
}
