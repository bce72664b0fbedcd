// How a backend differs from the contract in one case.

import type { TestTransport } from '../../fixtures/transport.js';
import type { BackendName } from './backend.js';
export interface KnownDifference {
  readonly title: string;
  readonly backend: BackendName;
  /** Only these versions of the real server; default: all. */
  readonly versions?: readonly string[];
  /** Only versions of the real server that are older than this one; default: all. */
  readonly before?: string;
  /** Only versions of the real server that are not older than this one; default: all. */
  readonly since?: string;
  /** Only with these transports; default: all. */
  readonly transports?: readonly TestTransport[];
  /** For a case with one request, the answer of this backend instead of the expected one. It must return exactly that. */
  readonly answer?: string;
  /** Whether the case holds in some runs. */
  readonly isByChance?: true;
  readonly reason: string;
  readonly source: string;
}
