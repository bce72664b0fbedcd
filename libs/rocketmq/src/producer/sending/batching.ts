// Whether messages may share a request: the options, and how it is known that the brokers keep them apart. Sharing itself is
// send-lane.ts.

import type { ServerCapabilities } from '../../client/capabilities.js';
import { endpointKey } from '../../client/endpoint.js';
import type { Route } from '../../client/route.js';
import { SECOND_MS, SystemClock } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';

/** The brokers of a cluster, as `RocketMQAdmin.brokerVersions()` tells them. */
export interface SeenBrokers {
  readonly brokers: readonly {
    readonly name: string;
    /** Whether the broker is of version 5.4.0 or later. */
    readonly keepsBatches: boolean;
  }[];
  /** Brokers that did not answer. */
  readonly failures: readonly unknown[];
}

/** Whether messages that wait anyhow leave in one request. */
export interface BatchingOptions {
  /**
   * `auto`: ordinary messages of one topic that queue up behind requests under way leave together, where all brokers are known to
   * keep them apart: on an embedded broker, by `serverVersion`, or by `brokerVersions`. Brokers up to 5.3.3 would give all of them
   * the tag, keys, properties and id of the first, and a proxy does not tell what is behind it. `off`: each message has a request
   * of its own, as it has wherever nothing is known. Default `auto`.
   */
  readonly batching?: 'auto' | 'off';
  /**
   * The version of the brokers, of the oldest one if they differ: `5.4.0`. Not that of the proxies. Without it, what is found out
   * counts; with it, it alone counts. Default: not known.
   */
  readonly serverVersion?: string;
  /**
   * Finds out how old the brokers are: `() => admin.brokerVersions()`. Asked again when the route of a topic changes; until it
   * has answered, and while any broker is old, missing or silent, each message has a request of its own. Default: nobody asks.
   */
  readonly brokerVersions?: () => Promise<SeenBrokers>;
}

const FORM = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:-[\w.-]+)?$/;
/** No answer is trusted for much longer: brokers can be exchanged under the same name. */
const ASK_AGAIN_MS = 30 * SECOND_MS;

/** Says where messages may share a request. */
export class BatchSafety {
  /** By the options alone; undefined when it has to be found out. */
  private readonly told: boolean | undefined;
  private readonly seen: SeenVersions | undefined;

  /** @throws UsageError that names the option */
  constructor({ batching = 'auto', serverVersion, brokerVersions }: BatchingOptions, logger: Logger) {
    if (batching !== 'auto' && batching !== 'off') {
      throw refused('batching', `must be "auto" or "off", not ${JSON.stringify(batching)}`);
    }
    const isNewEnough = serverVersion === undefined ? undefined : keepsBatches(serverVersion);
    this.told = batching === 'off' ? false : isNewEnough;
    this.seen = brokerVersions && new SeenVersions(brokerVersions, logger);
  }

  /** @param server where the messages would be sent */
  allows(route: Route, server: Pick<ServerCapabilities, 'keepsBatches'>): boolean {
    if (this.told !== undefined) return this.told;
    return server.keepsBatches || (this.seen?.allows(route) ?? false);
  }
}

/** What the brokers of the routes were last seen as. */
class SeenVersions {
  private readonly clock = new SystemClock();
  private readonly brokersOf = new Map<string, string>();
  /** Routes whose brokers all keep batches, or not; forgotten with each answer. */
  private judged = new WeakMap<Route, boolean>();
  /** The names of all brokers, when every one of them keeps batches. */
  private safe: ReadonlySet<string> | undefined;
  private askedAtMs: number | undefined;
  private asking = 0;

  constructor(
    private readonly ask: () => Promise<SeenBrokers>,
    private readonly logger: Logger,
  ) {}

  allows(route: Route): boolean {
    return this.judged.get(route) ?? this.judge(route);
  }

  /** A route is a new object each time that it was asked for. */
  private judge(route: Route): boolean {
    const brokers = brokersIn(route);
    const hasChanged = this.brokersOf.get(route.topic) !== brokers;
    this.brokersOf.set(route.topic, brokers);
    if (hasChanged) this.safe = undefined;
    const isOld = this.askedAtMs === undefined || this.clock.monotonicMs() - this.askedAtMs >= ASK_AGAIN_MS;
    if (hasChanged || isOld) void this.renew();
    const { safe } = this;
    const isSafe = safe !== undefined && route.queues.every(({ brokerName }) => safe.has(brokerName));
    this.judged.set(route, isSafe);
    return isSafe;
  }

  private async renew(): Promise<void> {
    this.askedAtMs = this.clock.monotonicMs();
    const asking = ++this.asking;
    let safe: ReadonlySet<string> | undefined;
    try {
      const { brokers, failures } = await this.ask();
      const areSafe = failures.length === 0 && brokers.every((broker) => broker.keepsBatches);
      if (areSafe) safe = new Set(brokers.map(({ name }) => name));
    } catch (error) {
      const text = 'the versions of the brokers could not be had; each message has a request of its own';
      this.logger.warn(text, { error: describeError(error) });
    }
    // A route that has changed meanwhile has asked again.
    if (asking !== this.asking) return;
    this.safe = safe;
    this.judged = new WeakMap();
  }
}

function brokersIn({ queues }: Route): string {
  const brokers = queues.map(({ brokerName, brokerId, endpoint }) => [brokerName, brokerId, endpointKey(endpoint)]);
  return [...new Set(brokers.map((broker) => JSON.stringify(broker)))].sort().join();
}

/** @throws UsageError for a text that is no version */
function keepsBatches(serverVersion: string): boolean {
  const [, major, minor] = FORM.exec(serverVersion)?.map(Number) ?? [];
  if (major === undefined || minor === undefined) {
    throw refused('serverVersion', `must be a version as "5.4.0", not ${JSON.stringify(serverVersion)}`);
  }
  return major > 5 || (major === 5 && minor >= 4);
}

function refused(field: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_OPTION', `option ${field} ${problem}`, field);
}
