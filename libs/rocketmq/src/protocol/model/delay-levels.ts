// The delay levels of RocketMQ 4, which RocketMQ 5 keeps as the delays of its retries.

import type { CustomizedBackoff } from '../../support/backoff.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';

/** The delay of each level; the first is level 1. @see messageDelayLevel of the server */
export const DELAY_LEVELS_MS: readonly number[] = [
  ...[1, 5, 10, 30].map((seconds) => seconds * SECOND_MS),
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2].map((hours) => hours * HOUR_MS),
];

/** The delays of a consumer group without a policy of its own. @see CustomizedRetryPolicy of the server */
export const DEFAULT_BACKOFF: CustomizedBackoff = { kind: 'customized', nextMs: DELAY_LEVELS_MS };
