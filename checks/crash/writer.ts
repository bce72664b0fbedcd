// Sends messages of every kind to a broker that is killed repeatedly, and records the answers.

import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, Producer, RocketMQError } from 'nestjs-rocketmq/client';
import type { CrashEvent } from './crash-history.js';

const PLAIN_SENDERS = 8;
const MESSAGE_GROUPS = 6;
const TRANSACTIONS = 4;
const DELAYS = 2;
/** The timeout of calls to a broker that was killed. */
const TIMEOUT_MS = 2_000;
const PAUSE_MS = 20;
const MAX_DELAY_MS = 5_000;
const BODY_BYTES = 300;

/** Many concurrent senders on one producer. Each message has one attempt, because a second one would be another message with the same body. */
export class Writer {
  private readonly connection: Connection;
  private readonly producer: Producer;
  private readonly decisions = new Map<string, 'commit' | 'rollback'>();
  private senders: Promise<unknown> = Promise.resolve();
  private count = 0;
  private isOver = false;

  constructor(
    endpoints: string,
    private readonly history: CrashEvent[],
    private readonly random: () => number,
  ) {
    this.connection = new Connection({ endpoints, requestTimeoutMs: TIMEOUT_MS });
    this.producer = new Producer(this.connection, {
      maxAttempts: 1,
      topics: { plain: 'normal', steps: 'fifo', paid: 'transaction', later: 'delay' },
      // A check returns the recorded decision and never decides itself.
      transactionCheckers: { paid: ({ message }) => this.decisions.get(idOf(message.body)) ?? 'unknown' },
    });
  }

  async start(): Promise<void> {
    await this.producer.start();
    const each = (count: number, send: (index: number) => Promise<void>) =>
      Array.from({ length: count }, (_, index) => this.forever(() => send(index)));
    this.senders = Promise.all([
      ...each(PLAIN_SENDERS, () => this.send('plain', {}, {})),
      ...each(MESSAGE_GROUPS, (index) => this.send('steps', { group: `g${index}` }, { messageGroup: `g${index}` })),
      ...each(DELAYS, () => this.sendLater()),
      ...each(TRANSACTIONS, () => this.transact()),
    ]);
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.senders;
    await this.producer.close();
    await this.connection.close();
  }

  private async forever(send: () => Promise<void>): Promise<void> {
    while (!this.isOver) {
      await send();
      await sleep(this.random() * PAUSE_MS);
    }
  }

  private async send(topic: string, known: object, fields: object): Promise<void> {
    const id = this.nextId(topic);
    this.history.push({ kind: 'began', id, ...known });
    await this.note(id, () => this.producer.send({ topic, body: bodyOf(id), ...fields }, { timeoutMs: TIMEOUT_MS }));
  }

  private sendLater(): Promise<void> {
    const deliverAt = new Date(Date.now() + this.random() * MAX_DELAY_MS);
    return this.send('later', { dueAtMs: deliverAt.getTime() }, { deliverAt });
  }

  private async transact(): Promise<void> {
    const id = this.nextId('paid');
    this.history.push({ kind: 'began', id, half: true });
    const half = { topic: 'paid', body: bodyOf(id) };
    const transaction = await this.note(id, () => this.producer.beginTransaction(half, { timeoutMs: TIMEOUT_MS }));
    if (transaction === undefined) return;
    await sleep(this.random() * PAUSE_MS);
    const chance = this.random();
    // Some are never decided, and their half messages must never become visible.
    if (chance < 0.2) return;
    const resolution = chance < 0.4 ? 'rollback' : 'commit';
    this.decisions.set(id, resolution);
    this.history.push({ kind: 'ending', id, resolution });
    try {
      const result = await (resolution === 'commit' ? transaction.commit() : transaction.rollback());
      if (result === 'accepted') this.history.push({ kind: 'ended', id });
    } catch (error) {
      if (!RocketMQError.is(error)) throw error;
    }
  }

  /** @returns undefined if it failed; the outcome is recorded */
  private async note<T>(id: string, send: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await send();
      this.history.push({ kind: 'answered', id, outcome: 'stored' });
      return result;
    } catch (error) {
      if (!RocketMQError.is(error)) throw error;
      if (error.outcome !== 'unknown') this.history.push({ kind: 'answered', id, outcome: 'rejected' });
      return undefined;
    }
  }

  private nextId(topic: string): string {
    this.count++;
    return `${topic}-${this.count}`;
  }
}

function bodyOf(id: string): Buffer {
  return Buffer.from(`${id} `.padEnd(BODY_BYTES, 'x'));
}

/** The id of a message that a {@link Writer} sent. */
export function idOf(body: Buffer): string {
  return body.toString().split(' ', 1)[0] as string;
}
