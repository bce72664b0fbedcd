// Whether messages may share a request: the options, and the check that all brokers support it. The sharing itself is in
// send-lane.ts.

import type { ServerCapabilities } from '../../client/capabilities.js';
import { endpointKey } from '../../client/endpoint.js';
import type { Route } from '../../client/route.js';
import { SECOND_MS, SystemClock } from '../../support/clock.js';
import { describeError, type Logger } from '../../support/logger.js';
import { anyFunction, describe, type OptionChecks, oneOf } from '../../support/options.js';

/** The brokers of a cluster, as `RocketMQAdmin.brokerVersions()` returns them. */
export interface SeenBrokers {
  readonly brokers: readonly {
    readonly name: string;
    /** Whether the broker is of version 5.4.0 or later. */
    readonly keepsBatches: boolean;
  }[];
  /** Brokers that did not answer. */
  readonly failures: readonly unknown[];
}

/** Whether messages that have to wait share a request. */
export interface BatchingOptions {
  /**
   * `auto`: ordinary messages of one topic that wait behind requests in flight share a request if all brokers are known to support it:
   * because it is an embedded broker, or according to `serverVersion` or `brokerVersions`. Brokers up to 5.3.3 would give all of them
   * the tag, keys, properties and id of the first, and a proxy does not report the versions of its brokers. `off`: each message has its
   * own request, as it also has when the versions are unknown. Default `auto`.
   */
  readonly batching?: 'auto' | 'off';
  /**
   * The version of the brokers, or of the oldest one if they differ: `5.4.0`. Not that of the proxies. If it is set,
   * it alone decides. Default: unknown.
   */
  readonly serverVersion?: string;
  /**
   * Returns the versions of the brokers: `() => admin.brokerVersions()`. Called again when the route of a topic changes. Until it has
   * returned, and while any broker is old, missing or does not answer, each message has its own request. Default: none.
   */
  readonly brokerVersions?: () => Promise<SeenBrokers>;
}

const FORM = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:-[\w.-]+)?$/;

/** @internal */
export const BATCHING_CHECKS: OptionChecks<BatchingOptions> = {
  batching: oneOf('auto', 'off'),
  serverVersion: (value) =>
    typeof value === 'string' && FORM.test(value)
      ? undefined
      : `must be a version such as "5.4.0", not ${describe(value)}`,
  brokerVersions: anyFunction,
};

/** How long an answer is trusted: a broker can be replaced by another one with the same name. */
const ASK_AGAIN_MS = 30 * SECOND_MS;

/** Decides where messages may share a request. */
export class BatchSafety {
  /** The decision by the options alone; undefined when the versions must be fetched. */
  private readonly configured: boolean | undefined;
  private readonly seen: SeenVersions | undefined;

  constructor({ batching = 'auto', serverVersion, brokerVersions }: BatchingOptions, logger: Logger) {
    const isNewEnough = serverVersion === undefined ? undefined : keepsBatches(serverVersion);
    this.configured = batching === 'off' ? false : isNewEnough;
    this.seen = brokerVersions && new SeenVersions(brokerVersions, logger);
  }

  /** @param server where the messages would be sent */
  allows(route: Route, server: Pick<ServerCapabilities, 'keepsBatches'>): boolean {
    if (this.configured !== undefined) return this.configured;
    return server.keepsBatches || (this.seen?.allows(route) ?? false);
  }
}

/** The last known versions of the brokers in the routes. */
class SeenVersions {
  private readonly clock = new SystemClock();
  private readonly brokersOf = new Map<string, string>();
  /** Whether all brokers of a route support batches; cleared with each answer. */
  private safeByRoute = new WeakMap<Route, boolean>();
  /** The names of all brokers, if every one of them supports batches. */
  private safe: ReadonlySet<string> | undefined;
  private askedAtMs: number | undefined;
  private asking = 0;

  constructor(
    private readonly ask: () => Promise<SeenBrokers>,
    private readonly logger: Logger,
  ) {}

  allows(route: Route): boolean {
    return this.safeByRoute.get(route) ?? this.checkBrokers(route);
  }

  /** Each refresh of a route creates a new object. */
  private checkBrokers(route: Route): boolean {
    const brokers = brokersIn(route);
    const hasChanged = this.brokersOf.get(route.topic) !== brokers;
    this.brokersOf.set(route.topic, brokers);
    if (hasChanged) this.safe = undefined;
    const isOld = this.askedAtMs === undefined || this.clock.monotonicMs() - this.askedAtMs >= ASK_AGAIN_MS;
    if (hasChanged || isOld) void this.renew();
    const { safe } = this;
    const isSafe = safe !== undefined && route.queues.every(({ brokerName }) => safe.has(brokerName));
    this.safeByRoute.set(route, isSafe);
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
      const text = 'the versions of the brokers could not be fetched; each message is sent in its own request';
      this.logger.warn(text, { error: describeError(error) });
    }
    // A route that has changed meanwhile has already started another request.
    if (asking !== this.asking) return;
    this.safe = safe;
    this.safeByRoute = new WeakMap();
  }
}

function brokersIn({ queues }: Route): string {
  const brokers = queues.map(({ brokerName, brokerId, endpoint }) => [brokerName, brokerId, endpointKey(endpoint)]);
  return [...new Set(brokers.map((broker) => JSON.stringify(broker)))].sort().join();
}

/** Whether brokers of this version keep the messages of a batch; undefined for a string that is not a version. */
function keepsBatches(serverVersion: string): boolean | undefined {
  const [, major, minor] = FORM.exec(serverVersion)?.map(Number) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  return major > 5 || (major === 5 && minor >= 4);
}
