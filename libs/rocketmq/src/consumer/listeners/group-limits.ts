// The limits that listeners have over all instances of their group, and who cannot have them.

import { UsageError } from '../../support/errors.js';
import type { Random } from '../../support/random.js';
import { GroupLimiter, type GroupLimiterParts } from './group-limiter.js';
import { GroupSlots } from './group-slots.js';
import type { LimitPort } from './limit-state.js';
import type { Limiter } from './limiter.js';
import type { RateLimit } from './rate-limiter.js';
import type { SlotLimit } from './slot-use.js';

/** What the limits of a consumer have in common. */
export interface GroupLimitParts extends Pick<GroupLimiterParts, 'clock' | 'logger' | 'closing'> {
  readonly random: Pick<Random, 'uuid'>;
}

/** The options of a consumer that decide whether it can have such limits. */
interface LimitedConsumer {
  readonly consumerGroup: string;
  readonly limitStore?: LimitPort;
  readonly mode?: 'shared' | 'broadcast';
}

type LimitOption = 'rateLimit.scope' | 'groupConcurrency';

/** Makes the limits of a consumer. */
export class GroupLimits {
  constructor(
    private readonly consumer: LimitedConsumer,
    private readonly parts: GroupLimitParts,
  ) {}

  /** @throws UsageError without a store, and for a broadcast */
  rate(listener: string, rate: RateLimit): Limiter {
    return new GroupLimiter(rate, this.partsOf(`${this.consumer.consumerGroup}/${listener}`, 'rateLimit.scope'));
  }

  /** @throws UsageError without a store, and for a broadcast */
  slots(limit: SlotLimit): GroupSlots {
    // No group has a colon in its name.
    const key = `concurrency:${this.consumer.consumerGroup}/${limit.name}`;
    return new GroupSlots(limit, this.partsOf(key, 'groupConcurrency'));
  }

  private partsOf(key: string, option: LimitOption): GroupLimiterParts {
    const { limitStore, mode } = this.consumer;
    if (mode === 'broadcast') throw broadcastRejected(option);
    if (limitStore === undefined)
      throw rejected(option, 'there is no limitStore; create a LimitStore of nestjs-rocketmq/sql');
    return { ...this.parts, store: limitStore, key, holder: this.parts.random.uuid() };
  }
}

/** @param where begins the message */
export function broadcastRejected(option: LimitOption, where = ''): UsageError {
  return rejected(option, 'instances that broadcast share no messages', where);
}

function rejected(option: LimitOption, problem: string, where = ''): UsageError {
  const what = option === 'groupConcurrency' ? 'be set' : 'be group';
  return new UsageError('ILLEGAL_OPTION', `${where}option ${option} cannot ${what}: ${problem}`, option);
}
