// The world of one case: its own topics and groups, clients that are closed after it, and a record of deliveries.

import { randomBytes } from 'node:crypto';
import { RocketMQAdmin, type RocketMQAdminOptions, type TopicType } from 'nestjs-rocketmq/admin';
import {
  Connection,
  type ConnectionOptions,
  EVERY_MESSAGE,
  type Filter,
  type MessageListener,
  type MessageView,
  Producer,
  type ProducerOptions,
  PushConsumer,
  type PushConsumerOptions,
  SimpleConsumer,
} from 'nestjs-rocketmq/client';
import { DEAD_LETTER_PREFIX } from '../../../libs/rocketmq/src/protocol/model/names.js';
import { RawClient } from '../../../tools/wire/raw-grpc-client.js';
import { testTransport, transport } from '../../fixtures/transport.js';
import { type Backend, type GroupOptions, isBefore, REQUEST_MS } from './backend.js';

/** One delivery, as its handler saw it. */
export interface Delivery {
  readonly message: MessageView;
  readonly text: string;
  readonly attempt: number;
  readonly atMs: number;
}

/** A push consumer and its deliveries. */
export interface Recorder {
  readonly consumer: PushConsumer;
  readonly deliveries: readonly Delivery[];
}

export interface RecorderOptions extends Partial<Omit<PushConsumerOptions, 'handler' | 'subscriptions'>> {
  readonly topic: string;
  /** A string is a filter by tag. */
  readonly filter?: string | Filter;
  /** Runs after the delivery was recorded; its outcome is that of the handler. */
  readonly handle?: (delivery: Delivery, signal: AbortSignal) => Promise<void> | void;
}

/**
 * The limit, in real time, for what needs no business time to pass. On 5.3.3, a message that was popped for the last poll of a closed
 * consumer is redelivered after its lease (30 s), and does not wake a waiting poll (20 s).
 */
const TIMEOUT_MS = { embedded: testTransport === 'remoting' ? 75_000 : 25_000, rocketmq: 75_000 };
const POLL_MS = 10;

export class World {
  private readonly closers: (() => Promise<void> | void)[] = [];
  private readonly prefix: string;
  private count = 0;
  /** The groups whose position {@link begin} has set. */
  private readonly begun = new Set<string>();
  /** The messages of the last answer to a raw client: of the status, then of its entries. */
  heard: readonly string[] = [];

  constructor(
    readonly backend: Backend,
    title: string,
  ) {
    this.prefix = `${title.replace(/[^a-zA-Z0-9]+/g, '-').slice(0, 40)}-${randomBytes(4).toString('hex')}`;
  }

  nowMs(): number {
    return this.backend.nowMs();
  }

  /** A unique name. */
  name(): string {
    return `${this.prefix}-${++this.count}`;
  }

  async topic(type: TopicType = 'normal'): Promise<string> {
    const topic = this.name();
    await this.backend.createTopic(topic, type);
    return topic;
  }

  async group(options: GroupOptions = {}): Promise<string> {
    const group = this.name();
    await this.backend.createGroup(group, options);
    return group;
  }

  connection(options: Partial<ConnectionOptions> = {}): Connection {
    const { endpoints, clock, access } = this.backend;
    const shared = { endpoints, clock, transport, requestTimeoutMs: REQUEST_MS };
    const connection = new Connection({ ...shared, ...access, ...options });
    this.closers.push(() => connection.close());
    return connection;
  }

  async producer(options: ProducerOptions = {}, connection = this.connection()): Promise<Producer> {
    const producer = new Producer(connection, options);
    this.closers.push(() => producer.close());
    await producer.start();
    return producer;
  }

  /** Starts a push consumer that records its deliveries. */
  async record(options: RecorderOptions, connection = this.connection()): Promise<Recorder> {
    const { topic, filter, handle, ...rest } = options;
    const consumerGroup = rest.consumerGroup ?? (await this.group());
    const deliveries: Delivery[] = [];
    const consumer = new PushConsumer(connection, {
      ...rest,
      consumerGroup,
      subscriptions: [
        { topic, filter: typeof filter === 'string' ? { kind: 'tag', expression: filter } : (filter ?? EVERY_MESSAGE) },
      ],
      handler: async (message, { signal }) => {
        const text = message.body.toString('utf8');
        const delivery = { message, text, attempt: message.deliveryAttempt, atMs: this.nowMs() };
        deliveries.push(delivery);
        await handle?.(delivery, signal);
      },
    });
    this.closers.push(() => consumer.close({ shutdownGraceMs: 1_000 }));
    await this.untilKnown(topic);
    await this.begin(consumerGroup, [topic]);
    await consumer.start();
    return { consumer, deliveries };
  }

  /** Starts a push consumer with several listeners. */
  async listen(
    consumerGroup: string,
    listeners: readonly MessageListener[],
    options: Partial<PushConsumerOptions> = {},
  ): Promise<PushConsumer> {
    const consumer = new PushConsumer(this.connection(), { ...options, consumerGroup, listeners });
    this.closers.push(() => consumer.close({ shutdownGraceMs: 1_000 }));
    await this.begin(
      consumerGroup,
      listeners.map(({ topic }) => topic),
    );
    await consumer.start();
    return consumer;
  }

  async simpleConsumer(topic: string, consumerGroup?: string, connection = this.connection()): Promise<SimpleConsumer> {
    const group = consumerGroup ?? (await this.group());
    const consumer = new SimpleConsumer(connection, { consumerGroup: group, subscriptions: [{ topic }] });
    this.closers.push(() => consumer.close());
    await this.untilKnown(topic);
    await this.begin(group, [topic]);
    await consumer.start();
    return consumer;
  }

  /** A broker registers a new dead letter topic with the name server after its first message, and a proxy remembers for 20 s what was missing. */
  private async untilKnown(topic: string): Promise<void> {
    if (!topic.startsWith(DEAD_LETTER_PREFIX)) return;
    const admin = this.admin();
    await this.until(`${topic} is known`, async () => (await admin.describeTopic(topic)) !== undefined);
  }

  /** Before 5.1.4 a new group starts at the last message of a queue. Cases count on the first one, where newer brokers start if it is young. */
  async begin(consumerGroup: string, topics: readonly string[]): Promise<void> {
    if (!isBefore('5.1.4') || this.begun.has(consumerGroup)) return;
    this.begun.add(consumerGroup);
    const admin = this.admin();
    const started = (await admin.groupLag(consumerGroup)).topics.map(({ topic }) => topic);
    for (const topic of topics.filter((one) => !started.includes(one))) {
      // The case may be about a topic or group that does not exist.
      await admin.rewindGroup({ consumerGroup, topic, to: { kind: 'beginning' } }).catch(() => {});
    }
  }

  admin(options: Partial<RocketMQAdminOptions> = {}): RocketMQAdmin {
    const { nameServer, access } = this.backend;
    const admin = new RocketMQAdmin({ nameServer, timeoutMs: REQUEST_MS, ...access, ...options });
    this.closers.push(() => admin.close());
    return admin;
  }

  /** A raw client, closed after the case. */
  rawClient(clientId = this.name(), metadata: Record<string, string> = {}): RawClient {
    const client = new RawClient(this.backend.proxy, clientId, metadata);
    client.onAnswer = (texts) => {
      this.heard = texts;
    };
    this.closers.push(() => client.close());
    return client;
  }

  /** Waits, in real time, for a condition that needs no business time to pass. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const lastTryAtMs = Date.now() + TIMEOUT_MS[this.backend.name];
    while (!(await holds())) {
      if (Date.now() > lastTryAtMs) throw new Error(`did not come true: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Closes in reverse order: consumers and producers before their connections. */
  async close(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close();
  }
}

/** The bodies of the deliveries, in the order of arrival. */
export function texts(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ text }) => text);
}
