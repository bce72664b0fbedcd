// A process of the simulated system: it sends, handles, receives and runs transactions until it is closed or dies.

import type { MessageView, ReceivedMessage } from 'nestjs-rocketmq/client';
import { Connection, Producer, PushConsumer, SECOND_MS, SimpleConsumer } from 'nestjs-rocketmq/client';
import { currentTransaction, TransactionLog } from 'nestjs-rocketmq/sql';
import type { HandlingFact, SendFact, SendOutcome, TransactionFact } from './facts.js';
import type { Plan } from './plan.js';
import { Chance } from './platform/chance.js';
import type { SimulatedDatabase } from './platform/database.js';
import type { SimulatedProcess, Simulation } from './platform/simulation.js';

export const TOPICS = { normal: 'events', ordered: 'steps', simple: 'jobs', transaction: 'orders' } as const;
export const GROUPS = { normal: 'readers', ordered: 'steppers', simple: 'workers', transaction: 'shippers' } as const;
/** Attempts that each listener has. */
export const MAX_ATTEMPTS = 4;
/** How long a close may take. */
export const CLOSE_GRACE_MS = 30 * SECOND_MS;
const RETRY_MS = 500;
export const MESSAGE_GROUPS = ['a', 'b', 'c'];

/** What a service shares with the others. */
export interface ServiceWorld {
  readonly simulation: Simulation;
  readonly plan: Plan;
  readonly endpoints: string;
  readonly database: SimulatedDatabase;
  readonly sends: SendFact[];
  readonly handlings: HandlingFact[];
  readonly transactions: TransactionFact[];
  /** Whether work is begun. */
  isActive(): boolean;
  /** A name for the next message. */
  nextKey(): string;
  /** Says that a body, which may have been unpacked, is not held any more. */
  released(bytes: number): void;
}

/** A service, whatever it is made of. */
export interface Instance {
  readonly process: SimulatedProcess;
  readonly isClosed: boolean;
  isClosing: boolean;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** One instance, from its start to its end. */
export class Service implements Instance {
  private readonly chance: Chance;
  private readonly connection: Connection;
  private readonly producer: Producer;
  private readonly consumers: PushConsumer[] = [];
  private readonly simple: SimpleConsumer | undefined;
  private readonly stopping = new AbortController();
  private readonly working = new Set<Promise<void>>();
  isClosed = false;
  isClosing = false;

  constructor(
    private readonly world: ServiceWorld,
    readonly process: SimulatedProcess,
  ) {
    const { plan, simulation } = world;
    this.chance = new Chance(Math.imul(plan.seed, 31) ^ Math.imul(process.pid, 0x85ebca6b));
    const say = (text: string, fields?: object): void => simulation.say(`${text} ${JSON.stringify(fields ?? {})}`);
    const logger = { debug() {}, info() {}, warn: say, error: say };
    this.connection = new Connection({ endpoints: world.endpoints, requestTimeoutMs: plan.requestTimeoutMs, logger });
    const log = new TransactionLog({ database: world.database.port });
    this.producer = new Producer(this.connection, {
      localTransactionTimeoutMs: plan.localTransactionTimeoutMs,
      compression: { thresholdBytes: 1_000 },
      ...(plan.parts.transactions
        ? { transactionCheckers: { [TOPICS.transaction]: (check) => log.check(check) } }
        : {}),
    });
    this.log = log;
    const kinds = (['normal', 'ordered', 'transaction'] as const).filter(
      (kind) => kind === 'normal' || plan.parts[kind === 'ordered' ? 'ordered' : 'transactions'],
    );
    for (const kind of kinds) {
      const group = GROUPS[kind];
      this.consumers.push(
        new PushConsumer(this.connection, {
          consumerGroup: group,
          subscriptions: [{ topic: TOPICS[kind] }],
          leaseMs: plan.leaseMs,
          maxBufferedBytes: plan.maxBufferedBytes,
          concurrency: 4,
          maxAttempts: MAX_ATTEMPTS,
          backoff: { kind: 'customized', nextMs: [RETRY_MS] },
          handler: (message) => this.handle(group, message),
        }),
      );
    }
    if (plan.parts.simple) {
      this.simple = new SimpleConsumer(this.connection, {
        consumerGroup: GROUPS.simple,
        subscriptions: [{ topic: TOPICS.simple }],
        maxBufferedBytes: plan.maxBufferedBytes,
      });
    }
    simulation.say(`${process.name} begins`);
  }

  private readonly log: TransactionLog;

  /** @throws what a start fails with: then the process is at its end */
  async start(): Promise<void> {
    await this.producer.start();
    for (const consumer of this.consumers) await consumer.start();
    if (this.simple !== undefined) {
      await this.simple.start();
      this.begin(this.receive(this.simple));
    }
    this.begin(this.work());
  }

  /** Ends in good order. */
  async close(): Promise<void> {
    this.stopping.abort();
    const grace = { graceMs: CLOSE_GRACE_MS };
    await Promise.all(this.consumers.map((consumer) => consumer.close(grace)));
    await this.simple?.close();
    await Promise.all(this.working);
    await this.producer.close(grace);
    this.connection.close();
    this.isClosed = true;
    this.world.simulation.say(`${this.process.name} is closed`);
  }

  private begin(work: Promise<void>): void {
    const tracked = work.finally(() => this.working.delete(tracked));
    this.working.add(tracked);
  }

  private pause(durationMs: number): Promise<void> {
    const { simulation } = this.world;
    return new Promise((resolve) => simulation.at(simulation.nowMs + durationMs, this.process, resolve));
  }

  private async work(): Promise<void> {
    const { plan } = this.world;
    while (!this.stopping.signal.aborted && this.world.isActive()) {
      await this.pause(this.chance.between(0.2, 1.8) * plan.sendEveryMs);
      if (this.stopping.signal.aborted || !this.world.isActive()) return;
      this.begin(this.act());
    }
  }

  private act(): Promise<void> {
    const { parts } = this.world.plan;
    const kinds = (['normal', 'ordered', 'simple', 'transaction'] as const).filter(
      (kind) => kind === 'normal' || parts[kind === 'transaction' ? 'transactions' : kind],
    );
    const kind = this.chance.pick(kinds);
    if (kind === 'transaction') return this.transact();
    return this.send(TOPICS[kind], kind === 'ordered' ? this.chance.pick(MESSAGE_GROUPS) : undefined);
  }

  private async send(topic: string, messageGroup: string | undefined): Promise<void> {
    const { simulation, plan, sends } = this.world;
    const key = this.world.nextKey();
    const timeoutMs = this.chance.is(plan.impatience) ? this.chance.pick([10, 30, 100]) : 10_000;
    const fact: SendFact = {
      ...{ key, topic, messageGroup, process: this.process.name, atMs: simulation.nowMs, timeoutMs },
      ...{ endMs: undefined, outcome: 'under way' },
    };
    sends.push(fact);
    const end = (outcome: SendOutcome, error?: string): void => {
      if (this.process.isDead) return;
      fact.endMs = simulation.nowMs;
      fact.outcome = outcome;
      if (error !== undefined) fact.error = error;
      simulation.say(`send of ${key} to ${topic}: ${outcome} ${error ?? ''}`);
    };
    const group = messageGroup === undefined ? {} : { messageGroup };
    const body = key.padEnd(plan.bodyBytes, ' ');
    try {
      await this.producer.send({ topic, body, keys: [key], ...group }, { timeoutMs });
      end('acknowledged');
    } catch (error) {
      end(outcomeOf(error), String((error as Error).message));
    }
  }

  private async transact(): Promise<void> {
    const { simulation, plan, transactions, database } = this.world;
    const key = this.world.nextKey();
    const durationMs = this.chance.next() ** 2 * plan.longestTransactionMs;
    const end = this.chance.pick(['commit', 'commit', 'commit', 'fail before', 'fail after', 'roll back']);
    const fact: TransactionFact = {
      ...{ key, process: this.process.name, atMs: simulation.nowMs, durationMs },
      ...{ transactionId: undefined, endMs: undefined, error: undefined },
    };
    transactions.push(fact);
    try {
      await this.producer.transact({ message: { topic: TOPICS.transaction, body: key, keys: [key] } }, async () => {
        const current = currentTransaction();
        fact.transactionId = current.transactionId;
        await database.port.transaction(async (tx) => {
          await this.pause(durationMs);
          if (end === 'fail before') throw new Error('out of stock');
          if (end === 'roll back') {
            current.rollback();
            return;
          }
          await this.log.record(tx, current);
        });
        if (end === 'fail after') throw new Error('the printer is on fire');
      });
    } catch (error) {
      if (!this.process.isDead)
        fact.error = String((error as { readonly code?: string }).code ?? (error as Error).message);
    }
    if (this.process.isDead) return;
    fact.endMs = simulation.nowMs;
    simulation.say(`transaction of ${key}: ${fact.error ?? 'returned'}`);
  }

  private async handle(group: string, message: MessageView): Promise<void> {
    const { simulation, plan, handlings } = this.world;
    const [key = ''] = message.keys;
    const fact: HandlingFact = {
      ...{ key, group, process: this.process.name, attempt: message.deliveryAttempt },
      ...{ startMs: simulation.nowMs, endMs: undefined, end: undefined },
    };
    if (!this.process.isDead) handlings.push(fact);
    simulation.say(`${group} handles ${key}, attempt ${message.deliveryAttempt}`);
    await this.pause(this.chance.next() ** 3 * plan.longestHandlerMs);
    if (this.process.isDead) return;
    this.world.released(message.body.length);
    fact.endMs = simulation.nowMs;
    fact.end = isPoisonous(key) || this.chance.is(plan.failures) ? 'failed' : 'done';
    simulation.say(`${group} has handled ${key}: ${fact.end}`);
    if (fact.end === 'failed') throw new Error('the handler failed');
  }

  private async receive(consumer: SimpleConsumer): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        const messages = await consumer.receive({
          maxMessages: 8,
          invisibleDurationMs: this.world.plan.leaseMs,
          signal,
        });
        for (const message of messages) await this.take(consumer, message);
      } catch (error) {
        if (signal.aborted) return;
        this.world.simulation.say(`receive failed: ${(error as Error).message}`);
        await this.pause(SECOND_MS);
      }
    }
  }

  private async take(consumer: SimpleConsumer, message: ReceivedMessage): Promise<void> {
    const { simulation, handlings } = this.world;
    const [key = ''] = message.keys;
    const fact: HandlingFact = {
      ...{ key, group: GROUPS.simple, process: this.process.name, attempt: message.deliveryAttempt },
      ...{ startMs: simulation.nowMs, endMs: simulation.nowMs, end: 'unsure' },
    };
    if (!this.process.isDead) handlings.push(fact);
    simulation.say(`${GROUPS.simple} takes ${key}, attempt ${message.deliveryAttempt}`);
    try {
      await consumer.ack(message);
      fact.end = 'done';
    } catch (error) {
      simulation.say(`ack of ${key} failed: ${(error as Error).message}`);
    }
    this.world.released(message.body.length);
  }
}

/** Some fail each time. */
export function isPoisonous(key: string): boolean {
  return key.endsWith('13');
}

export function outcomeOf(error: unknown): SendOutcome {
  const { outcome } = error as { readonly outcome?: string };
  return outcome === 'not-sent' || outcome === 'rejected' ? outcome : 'unknown';
}
