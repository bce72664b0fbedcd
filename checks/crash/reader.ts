// Receives and acks from a broker that is killed repeatedly, and records the deliveries.

import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ReceivedMessage, RocketMQError, SimpleConsumer } from 'nestjs-rocketmq/client';
import type { CrashEvent } from './crash-history.js';
import { idOf } from './writer.js';

/** The shortest poll that the server accepts. */
const LEASE_MS = 10_000;
const PAUSE_MS = 100;
/** The most messages of a receive. */
export const BATCH_SIZE = 16;
/** Some messages are not acked, so that they are redelivered when their leases end. */
const FORGOTTEN = 0.02;
/** After this time without a message nothing is left: every lease has ended, and every delayed message is due. */
const SILENCE_MS = LEASE_MS + 1_500;

export class Reader {
  private readonly connection: Connection;
  private readonly consumers: SimpleConsumer[];
  private readonly over = new AbortController();
  private readers: Promise<unknown> = Promise.resolve();
  private receives = 0;
  private lastSeenAtMs = 0;
  private isDraining = false;

  constructor(
    endpoints: string,
    private readonly history: CrashEvent[],
    private readonly random: () => number,
  ) {
    this.connection = new Connection({ endpoints, requestTimeoutMs: 2_000 });
    const consumerOf = (consumerGroup: string, topics: string[]): SimpleConsumer => {
      const subscriptions = topics.map((topic) => ({ topic }));
      return new SimpleConsumer(this.connection, { consumerGroup, subscriptions, longPollingTimeoutMs: 5_000 });
    };
    this.consumers = [
      ...['plain', 'paid', 'later'].map((topic) => consumerOf('readers', [topic])),
      consumerOf('ordered', ['steps']),
    ];
  }

  async start(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.start()));
    this.readers = Promise.all(this.consumers.map((consumer) => this.read(consumer)));
  }

  /** Resolves when no more messages arrive. @throws Error when the signal is aborted before */
  async drain(signal: AbortSignal): Promise<void> {
    this.isDraining = true;
    this.lastSeenAtMs = Date.now();
    while (Date.now() - this.lastSeenAtMs < SILENCE_MS) await sleep(PAUSE_MS, undefined, { signal });
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.readers;
    await Promise.all(this.consumers.map((consumer) => consumer.close()));
    await this.connection.close();
  }

  private async read(consumer: SimpleConsumer): Promise<void> {
    const { signal } = this.over;
    while (!signal.aborted) {
      const receive = this.receives++;
      try {
        const messages = await consumer.receive({ maxMessages: BATCH_SIZE, invisibleDurationMs: LEASE_MS, signal });
        const atMs = Date.now();
        for (const message of messages) this.delivered(message, receive, atMs);
        await Promise.all(messages.map((message) => this.ack(consumer, message)));
      } catch (error) {
        if (!RocketMQError.is(error) && !signal.aborted) throw error;
        await sleep(PAUSE_MS);
      }
    }
  }

  private delivered({ body, topic, queueId, queueOffset }: ReceivedMessage, receive: number, atMs: number): void {
    this.lastSeenAtMs = atMs;
    const offset = Number(queueOffset);
    this.history.push({ kind: 'delivered', id: idOf(body), queue: `${topic} ${queueId}`, offset, atMs, receive });
  }

  private async ack(consumer: SimpleConsumer, message: ReceivedMessage): Promise<void> {
    if (!this.isDraining && this.random() < FORGOTTEN) return;
    try {
      await consumer.ack(message);
      this.history.push({ kind: 'acked', id: idOf(message.body) });
    } catch (error) {
      if (!RocketMQError.is(error)) throw error;
    }
  }
}
