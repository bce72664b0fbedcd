// What runs beside the consumers: the search for given-up transactions, and the log of the lag.

import type { Connection } from '../../client/connection.js';
import type { Producer } from '../../producer/producer.js';
import { TransactionBounds } from '../../producer/transactions/transaction-bounds.js';
import type { TransactionCheckHandler } from '../../producer/transactions/transaction-check.js';
import { MINUTE_MS } from '../../support/clock.js';
import { systemRandom } from '../../support/random.js';
import type { AdminAccess } from '../cluster/admin-access.js';
import type { RunningConsumers } from '../cluster/running-consumers.js';
import { LagLog } from '../events/lag-log.js';
import type { RocketMQEvents } from '../events/rocketmq-events.js';
import { GivenUpWatch } from '../health/given-up-watch.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { CheckedOptions } from './module-options.js';

/** They are added as they start. */
export interface Watches {
  /** Undefined without transactions, and where there is no administration connection. */
  givenUp?: GivenUpWatch;
  /** Undefined unless the lag is kept. */
  lag?: LagLog;
}

/** What they watch. */
interface WatchedParts extends Watches {
  readonly connection?: Connection;
  readonly producer?: Producer;
  readonly consumers?: RunningConsumers;
}

interface WatchedPlan {
  readonly consumers: readonly PlannedConsumer[];
  readonly checkers: Readonly<Record<string, TransactionCheckHandler>>;
}

interface WatchPort {
  readonly options: CheckedOptions;
  readonly admin: AdminAccess;
  readonly events: RocketMQEvents;
  /** Undefined: the topic is its own. */
  readonly transactionOwner: string | undefined;
}

/** Does nothing for those that run already, and where there is nothing to watch. */
export async function startWatches(parts: WatchedParts, plan: WatchedPlan, port: WatchPort): Promise<void> {
  await watchGivenUp(parts, plan, port);
  await keepLag(parts, plan, port);
}

export async function stopWatches({ givenUp, lag }: Watches): Promise<void> {
  await Promise.all([givenUp?.stop(), lag?.stop()]);
}

async function watchGivenUp(parts: WatchedParts, { checkers }: WatchedPlan, port: WatchPort): Promise<void> {
  const { connection } = parts;
  const admin = await port.admin.ofCluster();
  if (connection === undefined || admin === undefined || Object.keys(checkers).length === 0) return;
  const { clock, logger, command } = connection;
  const { events, transactionOwner } = port;
  const ownerOf = (topic: string): string => transactionOwner ?? topic;
  const bounds = new TransactionBounds(port.options.producer ?? {});
  parts.givenUp ??= new GivenUpWatch({ admin, checkers, bounds, clock, logger, command, events, ownerOf });
  parts.givenUp.start();
}

async function keepLag(parts: WatchedParts, { consumers }: WatchedPlan, port: WatchPort): Promise<void> {
  const { connection, producer } = parts;
  const { operations, names } = port.options;
  const admin = await port.admin.forLag(operations);
  // The group of an instance ends with the instance.
  const shared = consumers.filter(({ mode, ofInstance }) => mode === 'shared' && !ofInstance);
  if (operations === undefined || admin === undefined || shared.length === 0) return;
  if (connection === undefined || producer === undefined || parts.lag !== undefined) return;
  const { clock, logger } = connection;
  parts.lag = new LagLog({
    topic: names.topic(operations.topic),
    everyMs: operations.lagEveryMs ?? MINUTE_MS,
    clock,
    random: systemRandom,
    logger,
    instance: producer.clientId,
    admin,
    groups: () =>
      shared.filter((plan) => parts.consumers?.of(plan) !== undefined).map(({ consumerGroup }) => consumerGroup),
    send: (message, options) => producer.send(message, options),
  });
  parts.lag.start();
}
