// What the run and its members agree on.

export const TOPICS = { ordered: 'model-ordered', plain: 'model-plain' } as const;
export const GROUPS = { ordered: 'model-ordered-readers', plain: 'model-plain-readers' } as const;
/** The shortest that servers accept. */
export const LEASE_MS = 10_000;
/** A producer repeats a request that has no answer after this time, and the first one may be stored as well. */
export const REQUEST_TIMEOUT_MS = 3_000;

export interface MemberOptions {
  readonly role: 'producer' | 'consumer';
  /** The same after a restart. */
  readonly name: string;
  /** How often it has been started, from 1. */
  readonly start: number;
  readonly endpoints: string;
  /** Where it writes its facts. */
  readonly folder: string;
  readonly seed: number;
}
