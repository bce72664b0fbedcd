// The delays that a broker of 4.x has: those of its configuration.

import { DELAY_LEVELS_MS } from '../protocol/model/delay-levels.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import { settingIn } from '../remoting/answers.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { type Deadline, monotonicMs } from '../support/deadline.js';

/** A restarted broker may have others. */
const VALID_MS = MINUTE_MS;
const UNITS: Readonly<Record<string, number>> = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };
const LEVEL = /^(\d{1,6})([smhd])$/;

/** The levels of the brokers of one client. */
export class DelayLevels {
  private readonly known = new Map<string, { readonly levelsMs: readonly number[]; readonly atMs: number }>();

  constructor(private readonly client: Pick<RemotingClient, 'ask'>) {}

  /**
   * By the broker's configuration. With access control, few are permitted to read it: then those that a broker has by default.
   * @returns the delay of each level; the first is level 1
   * @throws like the client, when the broker does not answer
   */
  async at(address: string, deadline: Deadline): Promise<readonly number[]> {
    const known = this.known.get(address);
    if (known !== undefined && monotonicMs() - known.atMs < VALID_MS) return known.levelsMs;
    const answer = await this.client.ask(address, { code: REQUEST_CODES.getBrokerConfig }, deadline, {
      isOptional: true,
    });
    const levelsMs = levelsIn(settingIn(answer, 'messageDelayLevel')) ?? DELAY_LEVELS_MS;
    this.known.set(address, { levelsMs, atMs: monotonicMs() });
    return levelsMs;
  }
}

/** @see ScheduleMessageService.parseDelayLevel of the server */
function levelsIn(text: string | undefined): readonly number[] | undefined {
  const levels = (text ?? '').split(' ').map((level) => {
    const [, count, unit = ''] = LEVEL.exec(level) ?? [];
    return Number(count) * (UNITS[unit] ?? Number.NaN);
  });
  return levels.some(Number.isNaN) ? undefined : levels;
}
