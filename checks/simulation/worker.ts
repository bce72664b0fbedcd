// The work of each simulated service, with or without Nest: sends and transactions, whose outcomes are recorded until it is closed or
// killed.

import { currentLocalTransaction } from 'nestjs-rocketmq/client';
import type { TransactionLog } from 'nestjs-rocketmq/sql';
import type { CloseFact, DeadFact, HandlingFact, SendFact, SendOutcome, TransactionFact } from './facts.js';
import type { Plan } from './plan.js';
import type { Chance } from './platform/chance.js';
import type { SimulatedDatabase } from './platform/database.js';
import type { SimulatedProcess, Simulation } from './platform/simulation.js';

export const TOPICS = { normal: 'events', ordered: 'steps', simple: 'jobs', transaction: 'orders' } as const;
export const GROUPS = { normal: 'readers', ordered: 'steppers', simple: 'workers', transaction: 'shippers' } as const;
/** The queues of the ordered topic on each broker. */
export const ORDERED_QUEUES = 4;
/** The name of the second broker of a cluster. */
export const OTHER_BROKER = 'other';
/** What another client stores with labels that no send of this library accepts, and where its dead letters are kept. */
export const FOREIGN = { topic: 'foreign', group: 'strangers', graves: 'graves', keepers: 'keepers' } as const;
/** The attempts of each listener. */
export const MAX_ATTEMPTS = 4;
export const RETRY_MS = 500;
/** Producers compress bodies from this size on. */
export const PACKED_FROM_BYTES = 1_000;
/** The tag of every message. */
export const TAG = 'simulated';
/** A close waits a second for a handler that ignores its signal; settlements and terminations take the rest. */
export const CLOSE_REST_MS = 6_000;
const MESSAGE_GROUPS = ['a', 'b', 'c'];
/** The probability that several messages of a group are sent at once. */
const STEPS_AT_ONCE = 0.2;

/** The state that services share. */
export interface World {
  readonly simulation: Simulation;
  readonly plan: Plan;
  readonly endpoints: string;
  readonly database: SimulatedDatabase;
  readonly sends: SendFact[];
  readonly handlings: HandlingFact[];
  readonly transactions: TransactionFact[];
  readonly closes: CloseFact[];
  readonly announced: DeadFact[];
  /** Whether to start new work. */
  isActive(): boolean;
  /** Creates the key of the next message. */
  nextKey(): string;
  /** Another client stores a message with labels that no send of this library accepts. */
  storeForeign(): void;
  /** Reports that a body, possibly decompressed, was released. */
  released(bytes: number): void;
}

/** A message to send. */
export interface Outgoing {
  readonly topic: string;
  readonly key: string;
  readonly messageGroup: string | undefined;
  readonly timeoutMs: number;
}

/** One instance of a service. */
export abstract class Worker<W extends World = World> {
  protected readonly stopping = new AbortController();
  /** Sends and transactions in progress. */
  protected readonly working = new Set<Promise<void>>();
  isStarted = false;
  isClosed = false;
  isClosing = false;

  constructor(
    protected readonly world: W,
    readonly process: SimulatedProcess,
    protected readonly chance: Chance,
    protected readonly log: TransactionLog,
  ) {}

  /** @throws the error of the start, after which the process ends */
  abstract start(): Promise<void>;
  /** Closes gracefully. */
  abstract close(): Promise<void>;
  /** Starts a random piece of work. */
  protected abstract act(): void;
  protected abstract deliver(message: Outgoing): Promise<unknown>;
  /** Runs a local transaction with its message. */
  protected abstract place(key: string, local: () => Promise<void>): Promise<void>;

  /** Resolves when the service is closed or all work has ended. */
  protected async work(): Promise<void> {
    const isOver = (): boolean => this.stopping.signal.aborted || !this.world.isActive();
    while (!isOver()) {
      await this.pause(this.chance.between(0.2, 1.8) * this.world.plan.sendEveryMs);
      if (!isOver()) this.act();
    }
  }

  protected begin(work: Promise<void>, among = this.working): void {
    const tracked = work.finally(() => among.delete(tracked));
    among.add(tracked);
  }

  /** Closes a resource and records the duration. */
  protected async closing(limitMs: number, close: () => Promise<void>): Promise<void> {
    const { simulation, closes } = this.world;
    const atMs = simulation.nowMs;
    await close();
    closes.push({ process: this.process.name, atMs, tookMs: simulation.nowMs - atMs, limitMs });
  }

  protected pause(durationMs: number): Promise<void> {
    const { simulation } = this.world;
    return new Promise((resolve) => simulation.at(simulation.nowMs + durationMs, this.process, resolve));
  }

  protected send(topic: string): void {
    const messageGroup = topic === TOPICS.ordered ? this.chance.pick(MESSAGE_GROUPS) : undefined;
    // Steps of one process are sent without waiting for each other.
    const count = messageGroup !== undefined && this.chance.is(STEPS_AT_ONCE) ? 3 : 1;
    for (let sent = 0; sent < count; sent++) this.begin(this.sendOne(topic, messageGroup));
  }

  protected transact(): void {
    this.begin(this.transactOne());
  }

  /** @returns the record of a handler run that begins now */
  protected handling(group: string, key: string, attempt: number): HandlingFact {
    const { nowMs } = this.world.simulation;
    return {
      key,
      group,
      process: this.process.name,
      attempt,
      startMs: nowMs,
      endMs: undefined,
      end: undefined,
    };
  }

  protected handlerMs(group: string): number {
    const { longestStepMs, longestHandlerMs } = this.world.plan;
    return this.chance.next() ** 3 * (group === GROUPS.ordered ? longestStepMs : longestHandlerMs);
  }

  /** Some messages fail at every attempt. */
  protected hasFailed(key: string): boolean {
    return key.endsWith('13') || this.chance.is(this.world.plan.failures);
  }

  private async sendOne(topic: string, messageGroup: string | undefined): Promise<void> {
    const { simulation, plan, sends } = this.world;
    const key = this.world.nextKey();
    const timeoutMs = this.chance.is(plan.impatience) ? this.chance.pick([10, 30, 100]) : 10_000;
    const fact: SendFact = {
      key,
      topic,
      messageGroup,
      process: this.process.name,
      atMs: simulation.nowMs,
      timeoutMs,
      endMs: undefined,
      outcome: 'under way',
    };
    sends.push(fact);
    const end = (outcome: SendOutcome, error?: string): void => {
      if (this.process.isDead) return;
      Object.assign(fact, { endMs: simulation.nowMs, outcome, ...(error === undefined ? {} : { error }) });
      simulation.say(`send of ${key} to ${topic}: ${outcome} ${error ?? ''}`);
    };
    try {
      await this.deliver({ topic, key, messageGroup, timeoutMs });
      end('acknowledged');
    } catch (error) {
      end(outcomeOf(error), String((error as Error).message));
    }
  }

  private async transactOne(): Promise<void> {
    const { simulation, plan, transactions, database } = this.world;
    const key = this.world.nextKey();
    const durationMs = this.chance.next() ** 2 * plan.longestTransactionMs;
    const end = this.chance.pick(['commit', 'commit', 'commit', 'fail before', 'fail after', 'roll back']);
    const fact: TransactionFact = {
      key,
      process: this.process.name,
      atMs: simulation.nowMs,
      durationMs,
      transactionId: undefined,
      endMs: undefined,
      error: undefined,
    };
    transactions.push(fact);
    try {
      await this.place(key, async () => {
        const current = currentLocalTransaction();
        fact.transactionId = current.transactionId;
        await database.port.transaction(async (tx) => {
          await this.pause(durationMs);
          if (end === 'fail before') throw new Error('out of stock');
          if (end === 'roll back') current.rollback();
          else await this.log.record(tx);
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
}

function outcomeOf(error: unknown): SendOutcome {
  const { outcome } = error as { readonly outcome?: string };
  return outcome === 'not-sent' || outcome === 'rejected' ? outcome : 'unknown';
}
