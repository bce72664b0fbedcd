// The additional facts of Nest applications.

import type { Facts, HandlingFact } from './facts.js';

/** A decision of a manual listener about a message, made while its handler was running. */
export interface DecisionFact {
  readonly key: string;
  readonly process: string;
  readonly atMs: number;
  readonly decision: 'ack' | 'retry';
}

/**
 * `rejected`: the caller got the handler's error. `abandoned`: the caller was closed. `mistaken`: the caller got another answer.
 * `unanswered`: the request failed or timed out.
 */
export type RequestOutcome = 'answered' | 'rejected' | 'abandoned' | 'unanswered' | 'mistaken' | 'under way';

/** One request. */
export interface RequestFact {
  readonly key: string;
  readonly process: string;
  readonly atMs: number;
  readonly timeoutMs: number;
  endMs: number | undefined;
  outcome: RequestOutcome;
  error?: string;
}

export interface NestFacts extends Pick<Facts, 'sends' | 'handlings' | 'disturbances'> {
  readonly decisions: readonly DecisionFact[];
  readonly requests: readonly RequestFact[];
  /** Runs of the request handler. They are separate from those of messages, because a request that is sent again is handled again. */
  readonly answers: readonly HandlingFact[];
}
