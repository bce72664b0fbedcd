// Endpoints that failed and are left alone until a probe finds them well. Who probes them, and what failed, is not known here.

import { type Endpoint, endpointKey } from './endpoint.js';

/** The endpoints that are better not asked for now. */
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
    // Asked after every good answer.
    if (this.isolated.size === 0 || !this.isolated.delete(endpointKey(endpoint))) return false;
    for (const wake of [...this.waiting]) wake();
    return true;
  }

  /** Resolves when the next endpoint rejoins, or the signal aborts. */
  nextRejoin(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted) wake();
    });
  }

  has(endpoint: Endpoint): boolean {
    // The usual case, in which nobody needs a key.
    return this.isolated.size > 0 && this.isolated.has(endpointKey(endpoint));
  }

  /** Those isolated now. */
  list(): Endpoint[] {
    return [...this.isolated.values()];
  }
}
