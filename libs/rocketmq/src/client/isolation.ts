// Endpoints that failed and are left alone until a probe finds them well. Who probes them, and what failed, is not known here.

import { type Endpoint, endpointKey } from './endpoint.js';

/** The endpoints that are better not asked for now. */
export class Isolation {
  private readonly isolated = new Map<string, Endpoint>();

  /** @returns whether it was not isolated before */
  add(endpoint: Endpoint): boolean {
    const key = endpointKey(endpoint);
    if (this.isolated.has(key)) return false;
    this.isolated.set(key, endpoint);
    return true;
  }

  /** @returns whether it was isolated before */
  remove(endpoint: Endpoint): boolean {
    return this.isolated.delete(endpointKey(endpoint));
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
