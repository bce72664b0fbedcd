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

/**
 * Brokers that are asked, some of them several times, while a result is put together. One that fails is named, and not asked again. One that
 * is silent among others has half of the time that is left, so that it costs its own part and not the whole result.
 */
export class AskedBrokers {
  private readonly failed = new Set<string>();
  private readonly named: BrokerFailure[] = [];

  constructor(
    private readonly deadline: Deadline,
    /** Whether there are others to be asked meanwhile. */
    private readonly areSeveral: boolean,
  ) {}

  /** In the order in which they failed. */
  get failures(): readonly BrokerFailure[] {
    return this.named;
  }

  hasFailed({ name }: Pick<MasterBroker, 'name'>): boolean {
    return this.failed.has(name);
  }

  /** Names a broker, once, whose part is not complete. It is asked for the rest. */
  add(failure: BrokerFailure): void {
    if (!this.named.some(({ name }) => name === failure.name)) this.named.push(failure);
  }

  /**
   * @returns undefined when the broker has failed, now or before
   * @throws when the caller has aborted
   */
  async ask<T>(broker: MasterBroker, question: (deadline: Deadline) => Promise<T>): Promise<T | undefined> {
    if (this.hasFailed(broker)) return undefined;
    try {
      return await this.limited(broker, question);
    } catch (error) {
      if (this.deadline.caller?.aborted === true) throw error;
      this.failed.add(broker.name);
      this.add({ ...broker, error: this.deadline.failure(error) as Error });
      return undefined;
    }
  }

  private limited<T>(broker: MasterBroker, question: (deadline: Deadline) => Promise<T>): Promise<T> {
    if (!this.areSeveral) return question(this.deadline);
    const shareMs = Math.max(1, Math.floor(this.deadline.remainingMs() / 2));
    return this.deadline.part(shareMs, question, `${this.deadline.what}: broker ${broker.name}`);
  }
}

/** Asks the masters of the cluster at once. @throws the first broker's error when none answered */
export async function fromEach<T>(
  cluster: ClusterAccess,
  deadline: Deadline,
  ask: (broker: MasterBroker, deadline: Deadline) => Promise<T>,
): Promise<BrokerAnswers<T>> {
  const brokers = await cluster.masters(deadline);
  const asked = new AskedBrokers(deadline, brokers.length > 1);
  const answers = await Promise.all(
    brokers.map((broker) => asked.ask(broker, async (own) => ({ broker, value: await ask(broker, own) }))),
  );
  const failures = brokers.flatMap(({ name }) => asked.failures.filter((one) => one.name === name));
  const [first] = failures;
  if (first !== undefined && failures.length === brokers.length) throw first.error;
  return { answers: answers.filter((one) => one !== undefined), failures };
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
