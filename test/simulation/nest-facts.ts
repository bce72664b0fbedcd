// What a run of Nest applications leaves behind, beside what all services do.

import type { Facts, HandlingFact } from './facts.js';

/** What a manual listener said of a message, while its handler went on. */
export interface DecisionFact {
  readonly key: string;
  readonly process: string;
  readonly atMs: number;
  readonly decision: 'ack' | 'retry';
}

/**
 * `refused`: the handler's error came back. `abandoned`: whoever asked was closed. `mistaken`: the answer was another one.
 * `unanswered`: it failed, or its time was over.
 */
export type RequestOutcome = 'answered' | 'refused' | 'abandoned' | 'unanswered' | 'mistaken' | 'under way';

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
  /** Runs of the handler of requests. A request that was sent again is handled again, so they are not among those of messages. */
  readonly answers: readonly HandlingFact[];
}
