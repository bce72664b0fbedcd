// A simulated process that uses the clients without Nest.

import type { MessageView, ReceivedMessage } from 'nestjs-rocketmq/client';
import { Connection, DeadLetterError, Producer, PushConsumer, SECOND_MS, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TransactionLog } from 'nestjs-rocketmq/sql';
import { BROKER_NAME } from '../../libs/rocketmq/src/broker/engine/server-names.js';
import type { Plan } from './plan.js';
import { Chance } from './platform/chance.js';
import type { SimulatedProcess } from './platform/simulation.js';
import {
  CLOSE_REST_MS,
  FOREIGN,
  GROUPS,
  MAX_ATTEMPTS,
  ORDERED_QUEUES,
  OTHER_BROKER,
  type Outgoing,
  PACKED_FROM_BYTES,
  RETRY_MS,
  TAG,
  TOPICS,
  Worker,
  type World,
} from './worker.js';

/** The maximum duration of a close. */
export const CLOSE_GRACE_MS = 30 * SECOND_MS;

/** What the message groups of a cluster of two are spread over. */
const LAYOUT = [BROKER_NAME, OTHER_BROKER].map((name) => `${name}:${ORDERED_QUEUES}`).join(';');

type Kind = keyof typeof TOPICS;

export class Service extends Worker {
  private readonly connection: Connection;
  private readonly producer: Producer;
  private readonly consumers: PushConsumer[] = [];
  private readonly simple: SimpleConsumer | undefined;
  /** Its messages. */
  private readonly kinds: readonly Kind[];

  constructor(world: World, process: SimulatedProcess) {
    const { plan, simulation, database, endpoints } = world;
    const chance = new Chance(Math.imul(plan.seed, 31) ^ Math.imul(process.pid, 0x85ebca6b));
    super(world, process, chance, new TransactionLog({ database: database.port }));
    const say = (text: string, fields?: object): void => simulation.say(`${text} ${JSON.stringify(fields ?? {})}`);
    const logger = { debug() {}, info() {}, warn: say, error: say };
    this.kinds = kindsOf(plan);
    this.connection = new Connection({
      endpoints,
      requestTimeoutMs: plan.requestTimeoutMs,
      logger,
      ...(plan.layout === 'declared' ? { topicLayouts: { [TOPICS.ordered]: LAYOUT } } : {}),
    });
    this.producer = new Producer(this.connection, {
      localTransactionTimeoutMs: plan.localTransactionTimeoutMs,
      compression: { thresholdBytes: PACKED_FROM_BYTES },
      // Where the layout follows from routes, it is learned while all brokers are there.
      ...(plan.otherBroker === 'same topics' ? { topics: { [TOPICS.ordered]: 'fifo' } } : {}),
      ...(plan.parts.transactions
        ? { transactionCheckers: { [TOPICS.transaction]: (check) => this.log.check(check) } }
        : {}),
    });
    for (const kind of this.kinds) {
      const group = GROUPS[kind];
      if (kind === 'simple') continue;
      this.consumers.push(
        new PushConsumer(this.connection, {
          consumerGroup: group,
          subscriptions: [{ topic: TOPICS[kind] }],
          invisibleDurationMs: plan.invisibleDurationMs,
          maxBufferedBytes: plan.maxBufferedBytes,
          concurrency: 4,
          // On brokers of 4.x, consumers decide that a group is ordered.
          ...(plan.pulls && kind === 'ordered' ? { requireFifo: true } : {}),
          // In a cluster with different settings, the limit is that of the message's broker.
          ...(plan.otherBroker === 'other settings' && kind === 'normal' ? {} : { maxAttempts: MAX_ATTEMPTS }),
          onDeadLetter: ({ message: { keys } }) => void world.announced.push({ key: keys[0] ?? '', group }),
          backoff: { kind: 'customized', nextMs: [RETRY_MS] },
          handler: (message) => this.handle(group, message),
        }),
      );
    }
    if (plan.parts.foreign) this.consumers.push(...this.foreignConsumers());
    if (plan.parts.simple) {
      this.simple = new SimpleConsumer(this.connection, {
        consumerGroup: GROUPS.simple,
        subscriptions: [{ topic: TOPICS.simple }],
        maxBufferedBytes: plan.maxBufferedBytes,
      });
    }
    simulation.say(`${process.name} begins`);
  }

  async start(): Promise<void> {
    await this.producer.start();
    for (const consumer of this.consumers) await consumer.start();
    if (this.simple !== undefined) {
      await this.simple.start();
      this.begin(this.receive(this.simple));
    }
    this.begin(this.work());
  }

  async close(): Promise<void> {
    this.stopping.abort();
    const grace = { shutdownGraceMs: CLOSE_GRACE_MS };
    await this.closing(CLOSE_GRACE_MS + CLOSE_REST_MS, async () => {
      await Promise.all(this.consumers.map((consumer) => consumer.close(grace)));
    });
    await this.simple?.close();
    await Promise.all(this.working);
    await this.producer.close(grace);
    this.connection.close();
    this.isClosed = true;
    this.world.simulation.say(`${this.process.name} is closed`);
  }

  /** One that dead-letters what another client stored, and forwards it without a thought of its labels; and one that reads the dead letters. */
  private foreignConsumers(): PushConsumer[] {
    const { invisibleDurationMs, maxBufferedBytes } = this.world.plan;
    const options = { invisibleDurationMs, maxBufferedBytes };
    const strangers = new PushConsumer(this.connection, {
      ...options,
      consumerGroup: FOREIGN.group,
      subscriptions: [{ topic: FOREIGN.topic }],
      handler: () => {
        throw new DeadLetterError('not for us');
      },
      deadLetterTo: async ({ message: { body, tag, keys, properties } }) => {
        await this.producer.send({
          topic: FOREIGN.graves,
          body,
          keys,
          properties,
          ...(tag === undefined ? {} : { tag }),
        });
      },
    });
    const keepers = new PushConsumer(this.connection, {
      ...options,
      consumerGroup: FOREIGN.keepers,
      subscriptions: [{ topic: FOREIGN.graves }],
      handler: ({ body }) => {
        // A dead letter may be stored twice, so its attempts say nothing about the message.
        const fact = this.handling(FOREIGN.keepers, body.toString(), 1);
        fact.endMs = this.world.simulation.nowMs;
        fact.end = 'unsure';
        if (!this.process.isDead) this.world.handlings.push(fact);
      },
    });
    return [strangers, keepers];
  }

  protected act(): void {
    if (this.world.plan.parts.foreign && this.chance.is(0.1)) this.world.storeForeign();
    const kind = this.chance.pick(this.kinds);
    if (kind === 'transaction') this.transact();
    else this.send(TOPICS[kind]);
  }

  protected deliver({ topic, key, messageGroup, timeoutMs }: Outgoing): Promise<unknown> {
    const body = key.padEnd(this.world.plan.bodyBytes, ' ');
    const group = messageGroup === undefined ? {} : { messageGroup };
    return this.producer.send({ topic, tag: TAG, body, keys: [key], ...group }, { timeoutMs });
  }

  protected async place(key: string, local: () => Promise<void>): Promise<void> {
    await this.producer.transact({ message: { topic: TOPICS.transaction, tag: TAG, body: key, keys: [key] } }, local);
  }

  private async handle(group: string, message: MessageView): Promise<void> {
    const { simulation, handlings } = this.world;
    const [key = ''] = message.keys;
    const fact = this.handling(group, key, message.deliveryAttempt);
    fact.isAltered = this.isAltered(message);
    if (!this.process.isDead) handlings.push(fact);
    simulation.say(`${group} handles ${key}, attempt ${message.deliveryAttempt}`);
    await this.pause(this.handlerMs(group));
    if (this.process.isDead) return;
    this.world.released(message.body.length);
    fact.endMs = simulation.nowMs;
    fact.end = this.hasFailed(key) ? 'failed' : 'done';
    simulation.say(`${group} has handled ${key}: ${fact.end}`);
    if (fact.end === 'failed') throw new Error('the handler failed');
  }

  private isAltered({ topic, tag, body, keys: [key = ''] }: MessageView): boolean {
    const size = topic === TOPICS.transaction ? 0 : this.world.plan.bodyBytes;
    return tag !== TAG || body.toString() !== key.padEnd(size, ' ');
  }

  private async receive(consumer: SimpleConsumer): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        const invisibleDurationMs = this.world.plan.invisibleDurationMs;
        const messages = await consumer.receive({ maxMessages: 8, invisibleDurationMs, signal });
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
    const fact = this.handling(GROUPS.simple, key, message.deliveryAttempt);
    fact.endMs = simulation.nowMs;
    fact.end = 'unsure';
    fact.isAltered = this.isAltered(message);
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

function kindsOf({ parts }: Plan): Kind[] {
  return (['normal', 'ordered', 'simple', 'transaction'] as const).filter(
    (kind) => kind === 'normal' || parts[kind === 'transaction' ? 'transactions' : kind],
  );
}
