// Where a backend does not keep the contract, why, and how that is known. The list is checked: see contract.ts.

import type { BackendName } from './backend.js';

export interface KnownDifference {
  readonly title: string;
  readonly backend: BackendName;
  /** Only these versions of the real server; default: all. */
  readonly versions?: readonly string[];
  readonly reason: string;
  readonly source: string;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [];
