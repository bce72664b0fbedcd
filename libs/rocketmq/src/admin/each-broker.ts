// Asks or changes every broker of a cluster, and reports those that failed.

import type { MasterBroker } from '../remoting/cluster.js';
import type { ClusterAccess } from '../remoting/cluster-access.js';
import type { Deadline } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { PartlyDoneError } from './admin-errors.js';

/** A broker that did not answer. The result lacks its part. */
export interface BrokerFailure extends MasterBroker {
  readonly error: Error;
}

/** The results of the brokers that answered, in the order of the brokers. */
interface BrokerAnswers<T> {
  readonly answers: readonly { readonly broker: MasterBroker; readonly value: T }[];
  readonly failures: readonly BrokerFailure[];
}

/** Asks all brokers at once. @throws the first broker's error when none answered */
export async function fromEach<T>(
  brokers: readonly MasterBroker[],
  ask: (broker: MasterBroker) => Promise<T>,
): Promise<BrokerAnswers<T>> {
  const settled = await Promise.allSettled(brokers.map((broker) => ask(broker)));
  const answers: { broker: MasterBroker; value: T }[] = [];
  const failures: BrokerFailure[] = [];
  settled.forEach((one, index) => {
    const broker = brokers[index] as MasterBroker;
    if (one.status === 'fulfilled') answers.push({ broker, value: one.value });
    else failures.push({ ...broker, error: one.reason as Error });
  });
  const [first] = failures;
  if (first !== undefined && answers.length === 0) throw first.error;
  return { answers, failures };
}

/** @throws UsageError `UNKNOWN_BROKER` */
export async function masterNamed(cluster: ClusterAccess, name: string, deadline: Deadline): Promise<MasterBroker> {
  const broker = (await cluster.masters(deadline)).find((one) => one.name === name);
  if (broker !== undefined) return broker;
  throw new UsageError('UNKNOWN_BROKER', `the cluster has no broker "${name}"; nothing was changed`, 'broker');
}

/** What each broker has, without those that have none. @throws the error of any broker */
export async function foundOn<Config>(
  brokers: readonly MasterBroker[],
  read: (broker: MasterBroker) => Promise<Config | undefined>,
): Promise<{ readonly broker: MasterBroker; readonly config: Config }[]> {
  const configs = await Promise.all(brokers.map(async (broker) => ({ broker, config: await read(broker) })));
  return configs.flatMap(({ broker, config }) => (config === undefined ? [] : [{ broker, config }]));
}

/**
 * Changes one broker after the other.
 * @throws PartlyDoneError when something fails after the first broker was changed
 */
export async function onEach(
  what: string,
  brokers: readonly MasterBroker[],
  change: (broker: MasterBroker) => Promise<void>,
  afterwards: () => Promise<void> = async () => {},
): Promise<void> {
  const done: string[] = [];
  try {
    for (const broker of brokers) {
      await change(broker);
      done.push(broker.name);
    }
    await afterwards();
  } catch (error) {
    throw done.length === 0 ? error : new PartlyDoneError(what, done, error as Error);
  }
}
