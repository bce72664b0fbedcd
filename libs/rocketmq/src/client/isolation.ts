// Endpoints that failed and are avoided until a probe succeeds. The client decides what counts as a failure; heartbeats.ts probes them.

import { abortReason, linkedController, listenTo } from '../support/abort.js';
import { type Clock, sleep } from '../support/clock.js';
import { type Endpoint, endpointKey } from './endpoint.js';

/** The endpoints to avoid for now. */
export class Isolation {
  private readonly isolated = new Map<string, Endpoint>();
  private readonly waiting = new Set<() => void>();

  /** @returns whether it was not isolated before */
  add(endpoint: Endpoint): boolean {
    const key = endpointKey(endpoint);
    if (this.isolated.has(key)) return false;
    this.isolated.set(key, endpoint);
    return true;
  }

  /** @returns whether it was isolated before */
  remove(endpoint: Endpoint): boolean {
    // Called after every successful answer, so it must be cheap.
    if (this.isolated.size === 0 || !this.isolated.delete(endpointKey(endpoint))) return false;
    for (const wake of [...this.waiting]) wake();
    return true;
  }

  /** Waits until an endpoint rejoins, or the time is over. @throws the signal's reason */
  async pause(clock: Clock, durationMs: number, signal: AbortSignal): Promise<void> {
    const { controller, unlink } = linkedController([signal]);
    try {
      await Promise.race([sleep(clock, durationMs, controller.signal), this.nextRejoin(controller.signal)]);
      if (signal.aborted) throw abortReason(signal);
    } finally {
      unlink();
      controller.abort();
    }
  }

  /** Resolves when an endpoint rejoins, or the signal aborts. */
  private nextRejoin(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake);
        unlisten();
        resolve();
      };
      const unlisten = listenTo(signal, wake);
      this.waiting.add(wake);
      if (signal.aborted) wake();
    });
  }

  has(endpoint: Endpoint): boolean {
    // The usual case, in which no key has to be computed.
    return this.isolated.size > 0 && this.isolated.has(endpointKey(endpoint));
  }

  /** The isolated endpoints. */
  list(): Endpoint[] {
    return [...this.isolated.values()];
  }
}
