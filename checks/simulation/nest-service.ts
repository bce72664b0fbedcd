// A simulated process with a Nest application: it sends, requests, answers, settles manually and runs transactions until it is closed
// or killed.

import type { INestMicroservice } from '@nestjs/common';
import {
  ClientRocketMQ,
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
import { ABORT_GRACE_MS } from '../../libs/rocketmq/src/consumer/listeners/handler-run.js';
import type { HandlingFact } from './facts.js';
import { applicationOf, NEST_TOPICS, type NestWork, Orders } from './nest-application.js';
import { MANUAL_TIMEOUT_MS, NEST_GROUPS } from './nest-checkers.js';
import type { DecisionFact, RequestFact, RequestOutcome } from './nest-facts.js';
import { Chance } from './platform/chance.js';
import type { SimulatedProcess } from './platform/simulation.js';
import {
  CLOSE_REST_MS,
  type Outgoing,
  PACKED_FROM_BYTES,
  RETRY_MS,
  TAG,
  TOPICS,
  Worker,
  type World,
} from './worker.js';

/** What Nest applications share in addition. */
export interface NestWorld extends World {
  /** The name server port of the broker. */
  readonly nameServer: string;
  readonly decisions: DecisionFact[];
  readonly requests: RequestFact[];
  readonly answers: HandlingFact[];
}

export class NestService extends Worker<NestWorld> implements NestWork {
  private readonly asking = new Set<Promise<void>>();
  private app: Promise<INestMicroservice> | undefined;
  /** Set once it listens. */
  private listening: INestMicroservice | undefined;

  constructor(world: NestWorld, process: SimulatedProcess) {
    const { plan, simulation, database } = world;
    const chance = new Chance(Math.imul(plan.seed, 37) ^ Math.imul(process.pid, 0x85ebca6b));
    super(world, process, chance, new TransactionLog({ database: database.port }));
    simulation.say(`${process.name} begins, a Nest application`);
  }

  async start(): Promise<void> {
    const { plan, simulation, endpoints, nameServer } = this.world;
    const say = (level: string) => (text: string) => simulation.say(`${level}: ${text}`);
    this.app = applicationOf(this, plan, {
      endpoints,
      nameServer,
      requestTimeoutMs: plan.requestTimeoutMs,
      shutdownGraceMs: plan.shutdownGraceMs,
      requests: { application: 'simulated' },
      startTimeoutMs: 10 * SECOND_MS,
      producer: {
        localTransactionTimeoutMs: plan.localTransactionTimeoutMs,
        compression: { thresholdBytes: PACKED_FROM_BYTES },
      },
      logger: { debug: () => {}, info: () => {}, warn: say('warning'), error: say('error') },
      transactionLog: this.log,
    });
    const app = await this.app;
    await app.listen().catch((error) => {
      if (error instanceof UsageError) simulation.uncaught.push(`start of ${this.process.name}: ${error.message}`);
      throw error;
    });
    this.listening = app;
    this.begin(this.work());
  }

  async close(): Promise<void> {
    this.stopping.abort();
    const app = await this.app;
    const { shutdownGraceMs, longestTransactionMs } = this.world.plan;
    // It first waits for its sends and transactions.
    const limitMs = 10 * SECOND_MS + longestTransactionMs + 2 * shutdownGraceMs + CLOSE_REST_MS;
    await this.closing(limitMs, async () => app?.close());
    await Promise.all(this.asking);
    this.isClosed = true;
    this.world.simulation.say(`${this.process.name} is closed`);
  }

  async sent(): Promise<void> {
    await Promise.all(this.working);
  }

  async handle(group: string, context: RocketMQContext): Promise<void> {
    const fact = this.begun(group, context);
    await this.pause(this.handlerMs(group));
    this.ended(fact);
    if (fact.end === 'failed') throw new Error('the handler failed');
  }

  /** Decides early, and then continues for longer than its timeout. */
  async decide(context: RocketMQContext): Promise<void> {
    const { simulation, decisions } = this.world;
    const fact = this.begun(NEST_GROUPS.manual, context);
    const { key } = fact;
    await this.pause(this.chance.next() ** 3 * 2 * SECOND_MS);
    if (this.process.isDead) return;
    const decision = this.hasFailed(key) ? 'retry' : 'ack';
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
    // Some are still running when the grace period of a shutdown ends.
    const takesMs = this.chance.is(0.3)
      ? this.chance.next() * 2 * (shutdownGraceMs + SECOND_MS)
      : this.chance.next() ** 3 * longestHandlerMs;
    await this.spend(takesMs, context.signal);
    this.ended(fact);
    if (fact.end === 'failed') throw new Error('no answer is known');
    return answerTo(fact.key);
  }

  /** Takes time. When the signal fires it ends soon, but not at once; some handlers ignore the signal. */
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

  private begun(group: string, { message, signal }: RocketMQContext): HandlingFact {
    const { simulation, handlings, answers } = this.world;
    const [key = ''] = message.keys;
    // A method may continue after its caller has stopped waiting.
    this.world.released(message.body.length);
    const fact = this.handling(group, key, message.deliveryAttempt);
    // Requests contain only their key.
    fact.isAltered =
      group !== NEST_GROUPS.requests && (message.tag !== TAG || !message.body.includes(`"key":"${key}"`));
    // In a process that is paused meanwhile, a handler whose end is due before this is not abandoned, however late both come.
    const onAbort = (): void =>
      void this.pause(ABORT_GRACE_MS).then(() => {
        fact.abandonedMs = simulation.nowMs;
      });
    signal.addEventListener('abort', onAbort, { once: true });
    if (!this.process.isDead) (group === NEST_GROUPS.requests ? answers : handlings).push(fact);
    simulation.say(`${group} handles ${key}, attempt ${message.deliveryAttempt}`);
    return fact;
  }

  private ended(fact: HandlingFact): void {
    const { simulation } = this.world;
    // Its message is released in any case.
    if (this.process.isDead || fact.abandonedMs !== undefined) return;
    fact.endMs = simulation.nowMs;
    fact.end = this.hasFailed(fact.key) ? 'failed' : 'done';
    simulation.say(`${fact.group} has handled ${fact.key}: ${fact.end}`);
  }

  protected act(): void {
    const { ordered, transactions } = this.world.plan.parts;
    const kind = this.chance.pick(['normal', 'manual', 'request', 'ordered', 'transaction'] as const);
    if (kind === 'request') this.begin(this.ask(this.application), this.asking);
    else if (kind === 'manual') this.send(NEST_TOPICS.manual);
    else if (kind === 'transaction' && transactions) this.transact();
    else this.send(kind === 'ordered' && ordered ? TOPICS.ordered : TOPICS.normal);
  }

  protected deliver({ topic, key, messageGroup, timeoutMs }: Outgoing): Promise<unknown> {
    const body = { key, rest: ''.padEnd(this.world.plan.bodyBytes, ' ') };
    const group = messageGroup === undefined ? {} : { messageGroup };
    return this.application.get(RocketMQProducer).send({ topic, tag: TAG, body, keys: [key], ...group }, { timeoutMs });
  }

  protected async place(key: string, local: () => Promise<void>): Promise<void> {
    await this.application.get(Orders).place(key, local);
  }

  private get application(): INestMicroservice {
    if (this.listening === undefined) throw new Error(`${this.process.name} does not listen yet`);
    return this.listening;
  }

  private async ask(app: INestMicroservice): Promise<void> {
    const { simulation, requests } = this.world;
    const key = this.world.nextKey();
    const timeoutMs = this.chance.pick([10, 60, 90]) * SECOND_MS;
    const fact: RequestFact = {
      key,
      process: this.process.name,
      atMs: simulation.nowMs,
      timeoutMs,
      endMs: undefined,
      outcome: 'under way',
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
      if (error instanceof RemoteHandlerError) end('rejected');
      else end(this.stopping.signal.aborted ? 'abandoned' : 'unanswered', (error as Error).message);
    }
  }
}

function answerTo(key: string): string {
  return `the answer to ${key}`;
}
