// The delays that a broker of 4.x has: those of its configuration.

import { Code, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { LevelChoice } from '../protocol/model/delay-chain.js';
import { DELAY_LEVELS_MS } from '../protocol/model/delay-levels.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import { releaseName } from '../protocol/remoting/releases.js';
import { settingIn } from '../remoting/answers.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { type Deadline, monotonicMs } from '../support/deadline.js';
import { FIRST_WITH } from './broker-release.js';
import { type Hop, hopOf } from './delay-chain.js';
import { rejection } from './statuses.js';

/** A restarted broker may have others. */
const VALID_MS = MINUTE_MS;
const UNITS: Readonly<Record<string, number>> = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };
const LEVEL = /^(\d{1,6})([smhd])$/;

/** A broker that delays by levels. */
interface DelayingBroker {
  readonly address: string;
  /** See `RemotingFrame.version`. */
  readonly release: number;
}

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

  /**
   * The level with exactly this delay, 0 for a time that is over; the rejection for a delay that is no level: the broker would deliver the
   * message at once.
   * @param choice what will do instead: the shortest of the longer levels, or the first level of several
   * @throws like {@link at}
   */
  async of(delayMs: number, choice: LevelChoice, at: DelayingBroker, deadline: Deadline): Promise<Hop | Status> {
    if (delayMs <= 0) return { level: 0, isLast: true };
    const { address, release } = at;
    const levelsMs = await this.at(address, deadline);
    if (typeof choice === 'object') return hopOf(delayMs, levelsMs);
    const roundsUp = choice === 'round-up';
    const chosenMs = roundsUp ? Math.min(...levelsMs.filter((levelMs) => levelMs >= delayMs)) : delayMs;
    const level = levelsMs.indexOf(chosenMs) + 1;
    if (level > 0) return { level, isLast: true };
    const levels = levelsMs.map(durationText).join(' ');
    const problem = roundsUp ? 'is longer than all of them, and a longer' : 'is none of them, and any other';
    const cure = roundsUp
      ? "; delayLevels: 'chain' of the producer reaches any delay"
      : "; delayLevels of the producer: 'round-up' takes the next longer level, 'chain' reaches any delay";
    const text = `${address} runs ${releaseName(release)}, which delays messages by one of its levels: ${levels}; ${delayMs} ms ${problem} delay needs RocketMQ ${FIRST_WITH.timers} or later${cure}`;
    return rejection(Code.UNSUPPORTED, text);
  }
}

/** As the configuration writes it. */
function durationText(ms: number): string {
  if (ms % HOUR_MS === 0) return `${ms / HOUR_MS}h`;
  return ms % MINUTE_MS === 0 ? `${ms / MINUTE_MS}m` : `${ms / SECOND_MS}s`;
}

/** @see ScheduleMessageService.parseDelayLevel of the server */
function levelsIn(text: string | undefined): readonly number[] | undefined {
  const levels = (text ?? '').split(' ').map((level) => {
    const [, count, unit = ''] = LEVEL.exec(level) ?? [];
    return Number(count) * (UNITS[unit] ?? Number.NaN);
  });
  return levels.some(Number.isNaN) ? undefined : levels;
}
