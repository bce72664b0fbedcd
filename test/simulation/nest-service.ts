// A process of the simulated system that is a Nest application: it sends, asks, answers, decides by hand and runs transactions until it is
// closed or dies.

import type { INestMicroservice } from '@nestjs/common';
import {
  ClientRocketMQ,
  currentTransaction,
  RemoteHandlerError,
  type RocketMQContext,
  RocketMQProducer,
  RocketMQRecord,
  RocketMQRequester,
  SECOND_MS,
  UsageError,
} from 'nestjs-rocketmq';
import { TransactionLog } from 'nestjs-rocketmq/sql';
import { lastValueFrom } from 'rxjs';
import { ABORT_GRACE_MS } from '../../libs/rocketmq/src/consumer/handler-run.js';
import type { HandlingFact, SendFact, SendOutcome, TransactionFact } from './facts.js';
import { applicationOf, NEST_TOPICS, type NestWork, Orders, RETRY_MS } from './nest-application.js';
import { MANUAL_TIMEOUT_MS, NEST_GROUPS } from './nest-checkers.js';
import type { DecisionFact, RequestFact, RequestOutcome } from './nest-facts.js';
import { Chance } from './platform/chance.js';
import type { SimulatedProcess } from './platform/simulation.js';
import { type Instance, isPoisonous, MESSAGE_GROUPS, outcomeOf, type ServiceWorld, TOPICS } from './service.js';

/** What Nest applications share beside. */
export interface NestWorld extends ServiceWorld {
  /** The admin port of the broker. */
  readonly nameServer: string;
  readonly decisions: DecisionFact[];
  readonly requests: RequestFact[];
  readonly answers: HandlingFact[];
}

/** A handler that was not waited for has not ended. */
type Running = HandlingFact & { abandonedMs: number };

/** One instance, from its start to its end. */
export class NestService implements Instance, NestWork {
  private readonly chance: Chance;
  private readonly log: TransactionLog;
  private readonly stopping = new AbortController();
  private readonly sending = new Set<Promise<void>>();
  private readonly asking = new Set<Promise<void>>();
  private app: Promise<INestMicroservice> | undefined;
  isClosed = false;
  isClosing = false;

  constructor(
    private readonly world: NestWorld,
    readonly process: SimulatedProcess,
  ) {
    const { plan, simulation } = world;
    this.chance = new Chance(Math.imul(plan.seed, 37) ^ Math.imul(process.pid, 0x85ebca6b));
    this.log = new TransactionLog({ database: world.database.port });
    simulation.say(`${process.name} begins, a Nest application`);
  }

  /** @throws what a start fails with: then the process is at its end */
  async start(): Promise<void> {
    const { plan, simulation, endpoints, nameServer } = this.world;
    const say = (level: string) => (text: string) => simulation.say(`${level}: ${text}`);
    this.app = applicationOf(this, plan, {
      ...{ endpoints, nameServer, requestTimeoutMs: plan.requestTimeoutMs, shutdownGraceMs: plan.shutdownGraceMs },
      ...{ requests: { application: 'simulated' }, startTimeoutMs: 10 * SECOND_MS },
      producer: {
        localTransactionTimeoutMs: plan.localTransactionTimeoutMs,
        compression: { thresholdBytes: 1_000 },
      },
      logger: { debug: () => {}, info: () => {}, warn: say('warning'), error: say('error') },
      transactionLog: this.log,
    });
    const app = await this.app;
    await app.listen().catch((error) => {
      if (error instanceof UsageError) simulation.uncaught.push(`start of ${this.process.name}: ${error.message}`);
      throw error;
    });
    this.begin(this.sending, this.work(app));
  }

  /** Ends in good order. */
  async close(): Promise<void> {
    this.stopping.abort();
    const app = await this.app;
    await app?.close();
    await Promise.all(this.asking);
    this.isClosed = true;
    this.world.simulation.say(`${this.process.name} is closed`);
  }

  async sent(): Promise<void> {
    await Promise.all(this.sending);
  }

  async handle(group: string, context: RocketMQContext): Promise<void> {
    const fact = this.begun(group, context);
    await this.pause(this.chance.next() ** 3 * this.world.plan.longestHandlerMs);
    this.ended(fact);
    if (fact.end === 'failed') throw new Error('the handler failed');
  }

  /** Decides early, and then tidies up for longer than it may. */
  async decide(context: RocketMQContext): Promise<void> {
    const { simulation, plan, decisions } = this.world;
    const fact = this.begun(NEST_GROUPS.manual, context);
    const { key } = fact;
    await this.pause(this.chance.next() ** 3 * 2 * SECOND_MS);
    if (this.process.isDead) return;
    const decision = isPoisonous(key) || this.chance.is(plan.failures) ? 'retry' : 'ack';
    try {
      if (decision === 'ack') context.ack();
      else context.retryLater({ delayMs: RETRY_MS });
    } catch (error) {
      simulation.say(`the decision about ${key} came too late: ${(error as Error).message}`);
      return;
    }
    fact.endMs = simulation.nowMs;
    fact.end = decision === 'ack' ? 'done' : 'failed';
    decisions.push({ key, process: this.process.name, atMs: simulation.nowMs, decision });
    simulation.say(`${fact.group} has decided about ${key}: ${decision}`);
    await this.spend(this.chance.is(0.3) ? this.chance.between(1, 3) * MANUAL_TIMEOUT_MS : 10, context.signal);
    if (context.signal.aborted) throw new Error('tidying up was cut short');
  }

  async answer(context: RocketMQContext): Promise<string> {
    const { longestHandlerMs, shutdownGraceMs } = this.world.plan;
    const fact = this.begun(NEST_GROUPS.requests, context);
    // Some are still at it when the grace period of a shutdown ends.
    const takesMs = this.chance.is(0.3)
      ? this.chance.next() * 2 * (shutdownGraceMs + SECOND_MS)
      : this.chance.next() ** 3 * longestHandlerMs;
    await this.spend(takesMs, context.signal);
    this.ended(fact);
    if (fact.end === 'failed') throw new Error('no answer is known');
    return answerTo(fact.key);
  }

  /** Takes time; when the signal fires it comes to an end, but not at once. Some do not look at it. */
  private async spend(durationMs: number, signal: AbortSignal): Promise<void> {
    if (this.chance.is(0.4)) return this.pause(durationMs);
    const stopsMs = this.chance.next() * 1_500;
    await new Promise<void>((resolve) => {
      const stop = (): void => void this.pause(stopsMs).then(resolve);
      signal.addEventListener('abort', stop, { once: true });
      void this.pause(durationMs).then(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      });
    });
  }

  private begun(group: string, { message, signal }: RocketMQContext): Running {
    const { simulation, handlings, answers } = this.world;
    const [key = ''] = message.keys;
    // A method may go on when nobody waits for it any more.
    this.world.released(message.body.length);
    const fact: Running = {
      ...{ key, group, process: this.process.name, attempt: message.deliveryAttempt },
      ...{ startMs: simulation.nowMs, endMs: undefined, end: undefined, abandonedMs: Number.POSITIVE_INFINITY },
    };
    const onAbort = (): void => {
      fact.abandonedMs = simulation.nowMs + ABORT_GRACE_MS;
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (!this.process.isDead) (group === NEST_GROUPS.requests ? answers : handlings).push(fact);
    simulation.say(`${group} handles ${key}, attempt ${message.deliveryAttempt}`);
    return fact;
  }

  private ended(fact: Running): void {
    const { simulation, plan } = this.world;
    // Its message is given back, whatever it does.
    if (this.process.isDead || simulation.nowMs >= fact.abandonedMs) return;
    fact.endMs = simulation.nowMs;
    fact.end = isPoisonous(fact.key) || this.chance.is(plan.failures) ? 'failed' : 'done';
    simulation.say(`${fact.group} has handled ${fact.key}: ${fact.end}`);
  }

  private begin(among: Set<Promise<void>>, work: Promise<void>): void {
    const tracked = work.finally(() => among.delete(tracked));
    among.add(tracked);
  }

  private pause(durationMs: number): Promise<void> {
    const { simulation } = this.world;
    return new Promise((resolve) => simulation.at(simulation.nowMs + durationMs, this.process, resolve));
  }

  private async work(app: INestMicroservice): Promise<void> {
    const { plan } = this.world;
    const isOver = (): boolean => this.stopping.signal.aborted || !this.world.isActive();
    while (!isOver()) {
      await this.pause(this.chance.between(0.2, 1.8) * plan.sendEveryMs);
      if (!isOver()) this.act(app);
    }
  }

  private act(app: INestMicroservice): void {
    const { ordered, transactions } = this.world.plan.parts;
    const kind = this.chance.pick(['normal', 'manual', 'request', 'ordered', 'transaction'] as const);
    if (kind === 'request') this.begin(this.asking, this.ask(app));
    else if (kind === 'manual') this.begin(this.sending, this.send(app, NEST_TOPICS.manual, undefined));
    else if (kind === 'transaction' && transactions) this.begin(this.sending, this.transact(app));
    else if (kind === 'ordered' && ordered)
      this.begin(this.sending, this.send(app, TOPICS.ordered, this.chance.pick(MESSAGE_GROUPS)));
    else this.begin(this.sending, this.send(app, TOPICS.normal, undefined));
  }

  private async send(app: INestMicroservice, topic: string, messageGroup: string | undefined): Promise<void> {
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
      Object.assign(fact, { endMs: simulation.nowMs, outcome, ...(error === undefined ? {} : { error }) });
      simulation.say(`send of ${key} to ${topic}: ${outcome} ${error ?? ''}`);
    };
    const body = { key, rest: ''.padEnd(plan.bodyBytes, ' ') };
    const group = messageGroup === undefined ? {} : { messageGroup };
    try {
      await app.get(RocketMQProducer).send({ topic, body, keys: [key], ...group }, { timeoutMs });
      end('acknowledged');
    } catch (error) {
      end(outcomeOf(error), String((error as Error).message));
    }
  }

  private async ask(app: INestMicroservice): Promise<void> {
    const { simulation, requests } = this.world;
    const key = this.world.nextKey();
    const timeoutMs = this.chance.pick([10, 60, 90]) * SECOND_MS;
    const fact: RequestFact = {
      ...{ key, process: this.process.name, atMs: simulation.nowMs, timeoutMs },
      ...{ endMs: undefined, outcome: 'under way' },
    };
    requests.push(fact);
    const end = (outcome: RequestOutcome, error?: unknown): void => {
      if (this.process.isDead) return;
      Object.assign(fact, {
        endMs: simulation.nowMs,
        outcome,
        ...(error === undefined ? {} : { error: String(error) }),
      });
      simulation.say(`request ${key}: ${outcome} ${error ?? ''}`);
    };
    try {
      const record = new RocketMQRecord(key, { keys: [key] }, timeoutMs);
      const answer = this.chance.is(0.5)
        ? await lastValueFrom(app.get(ClientRocketMQ).send<string>(NEST_TOPICS.requests, record))
        : await app.get(RocketMQRequester).request<string>(NEST_TOPICS.requests, key, { keys: [key], timeoutMs });
      end(answer === answerTo(key) ? 'answered' : 'mistaken', answer);
    } catch (error) {
      if (error instanceof RemoteHandlerError) end('refused');
      else end(this.stopping.signal.aborted ? 'abandoned' : 'unanswered', (error as Error).message);
    }
  }

  private async transact(app: INestMicroservice): Promise<void> {
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
      await app.get(Orders).place(key, async () => {
        fact.transactionId = currentTransaction().transactionId;
        await database.port.transaction(async (tx) => {
          await this.pause(durationMs);
          if (end === 'fail before') throw new Error('out of stock');
          if (end === 'roll back') currentTransaction().rollback();
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

function answerTo(key: string): string {
  return `the answer to ${key}`;
}
