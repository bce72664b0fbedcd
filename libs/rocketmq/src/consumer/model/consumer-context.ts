// What the parts of one push consumer share.

import type { Client } from '../../client/client.js';
import type { Endpoint } from '../../client/endpoint.js';
import type { Clock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import type { Random } from '../../support/random.js';
import type { ConsumerReporter } from './consumer-events.js';
import type { ConsumerSettings } from './settings.js';

/** The client, the clocks and the group's settings that every part of a push consumer works with. */
export interface ConsumerContext {
  readonly client: Client;
  readonly consumerGroup: string;
  /** Business time: leases, backoffs and retries use its monotonic part. */
  readonly clock: Clock;
  /** Real time: polls, repeated requests, handler timeouts and the grace period of a shutdown use it. */
  readonly ioClock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly report: ConsumerReporter;
  /** The current settings of the group on a server. */
  settings(server: Endpoint): ConsumerSettings;
  /**
   * Whether a message that is released keeps its number of attempts, on one server or on all of them. Ordered groups always count a
   * release.
   */
  releasesFree(server?: Endpoint): boolean;
}
