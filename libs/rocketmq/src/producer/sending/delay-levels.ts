// The delay levels of RocketMQ 4, for migration. RocketMQ 5 accepts any delay.

import { DELAY_LEVELS_MS } from '../../protocol/model/delay-levels.js';
import { UsageError } from '../../support/errors.js';

/**
 * The delay of a level in milliseconds: 1 is 1 s, 2 is 5 s, 3 is 10 s, 4 is 30 s, 5 to 14 are 1 to 10 min, 15 is 20 min,
 * 16 is 30 min, 17 is 1 h, 18 is 2 h (`messageDelayLevel` of the server).
 * @throws UsageError for any other level
 */
export function delayLevelMs(level: number): number {
  const delayMs = DELAY_LEVELS_MS[level - 1];
  if (delayMs === undefined) {
    throw new UsageError('ILLEGAL_DELAY_LEVEL', `delay level ${level} does not exist; levels are 1 to 18`, 'level');
  }
  return delayMs;
}
