// Retries of topics that the group has no longer: nobody handles them, and others would wait behind them.

import { RETRY_PREFIX } from '../../protocol/model/names.js';
import { SECOND_MS } from '../../support/clock.js';
import { monotonicMs } from '../../support/deadline.js';
import type { Logger } from '../../support/logger.js';
import type { Membership } from './membership.js';
import type { HandedOut } from './owned-queue.js';
import type { QueuePuller } from './queue-puller.js';

interface StraysPort {
  readonly logger: Logger;
  membership(): Membership;
  /** Sends one back, and does not wait for it. */
  putOff(puller: QueuePuller, message: HandedOut): void;
}

const MAX_AT_ONCE = 32;
/** How long one that is sent back counts as in hand. */
const LEASE_MS = 3 * SECOND_MS;

/** Those of one client. */
export class Strays {
  /** Topics whose retries were put off. */
  private readonly topics = new Set<string>();

  constructor(private readonly port: StraysPort) {}

  /** Sends back what a queue has of them. */
  putOff(puller: QueuePuller): void {
    const { queue, name } = puller;
    if (queue === undefined || !name.topic.startsWith(RETRY_PREFIX)) return;
    for (const topic of queue.readyTopics) {
      const { topics, consumerGroup } = this.port.membership();
      if (topics.has(topic)) continue;
      const text =
        'retries of a topic that the group does not subscribe to are put off as long as the broker can, by default for two hours; they are handled then, if the group subscribes to it';
      if (!this.topics.has(topic)) this.port.logger.warn(text, { consumerGroup, topic });
      this.topics.add(topic);
      for (const one of queue.take(topic, MAX_AT_ONCE, monotonicMs() + LEASE_MS)) this.port.putOff(puller, one);
    }
  }
}
