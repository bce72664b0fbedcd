// When a command that serves ends, and what a signal does to one that does not.

import { constants } from 'node:os';
import { onAbort } from '../support/abort-source.js';
import type { Outcome } from '../support/errors.js';
import { CommandError } from './command.js';

type Signal = 'SIGINT' | 'SIGTERM';

const SIGNALS: readonly Signal[] = ['SIGINT', 'SIGTERM'];

/** A command was ended by a signal. */
export class SignalError extends CommandError {
  /** As a shell has it for a process that a signal has ended. */
  readonly exitCode: number;

  constructor(
    private readonly signal: Signal,
    outcome: Outcome = 'unknown',
  ) {
    super(`interrupted by ${signal}`, { outcome });
    this.exitCode = 128 + constants.signals[signal];
  }

  /** The same, before anything was sent. */
  withoutEffect(): SignalError {
    return new SignalError(this.signal, 'not-sent');
  }
}

/**
 * Runs work that can say what it has done when a signal ends it. A second signal ends the process at once.
 * @param work its signal aborts with a SignalError
 */
export async function withSignals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stopping = new AbortController();
  const listeners = SIGNALS.map((name) => [name, () => stopping.abort(new SignalError(name))] as const);
  for (const [name, stop] of listeners) process.once(name, stop);
  try {
    return await work(stopping.signal);
  } finally {
    for (const [name, stop] of listeners) process.off(name, stop);
  }
}

/**
 * Waits for work that changes nothing, no longer than until the signal; the caller then closes what the work waits for.
 * @throws the reason of the signal
 */
export async function unlessStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let unlisten = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    unlisten = onAbort(signal, () => reject(signal.reason));
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    unlisten();
  }
}

/**
 * Resolves on SIGINT or SIGTERM, or when the parent process disconnects, unless this one outlives it.
 * @param over after it aborts, signals have their usual effect, and the channel to a parent does not keep this process alive
 */
export function askedToStop(over?: AbortSignal, { outlivesParent = false } = {}): Promise<void> {
  const hasNoParent = outlivesParent || process.channel === undefined || process.channel === null;
  const events: readonly string[] = hasNoParent ? SIGNALS : [...SIGNALS, 'disconnect'];
  return new Promise((resolve) => {
    const stop = (): void => resolve();
    for (const event of events) process.once(event, stop);
    over?.addEventListener('abort', () => {
      for (const event of events) process.off(event, stop);
    });
  });
}
