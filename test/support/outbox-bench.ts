// The setup of the outbox specs: an outbox and a schedule on PGlite, with relays that send to a list.

import { PGlite } from '@electric-sql/pglite';
import type { OutgoingMessage } from 'nestjs-rocketmq/client';
import {
  Outbox,
  type OutboxMessage,
  OutboxRelay,
  type OutboxRelayOptions,
  Schedule,
  type ScheduleEntry,
  schemaSql,
} from 'nestjs-rocketmq/sql';
import { ManualClock } from '../../libs/rocketmq/src/support/manual-clock.js';

/** One database for a whole spec, because starting it is slow; everything else is created for each test. */
export class OutboxBench {
  clock = new ManualClock();
  outbox = new Outbox();
  schedule = new Schedule();
  /** The sent messages, in order. */
  sent: OutgoingMessage[] = [];
  private relays: OutboxRelay[] = [];

  private constructor(readonly database: PGlite) {}

  static async open(): Promise<OutboxBench> {
    const database = await PGlite.create();
    await database.exec(schemaSql());
    return new OutboxBench(database);
  }

  /** @param startMs the time at the beginning. Default: now */
  async begin(startMs?: number): Promise<void> {
    await this.database.exec('DELETE FROM rocketmq_outbox; DELETE FROM rocketmq_schedule');
    this.clock = new ManualClock(startMs);
    this.outbox = new Outbox({ clock: this.clock });
    this.schedule = new Schedule({ clock: this.clock });
    this.sent = [];
  }

  async end(): Promise<void> {
    await Promise.all(this.relays.splice(0).map((relay) => relay.stop()));
  }

  close(): Promise<void> {
    return this.database.close();
  }

  relayWith(options: Partial<OutboxRelayOptions> = {}): OutboxRelay {
    const { outbox, database, clock, sent } = this;
    const send = async (message: OutgoingMessage): Promise<void> => void sent.push(message);
    const relay = new OutboxRelay({ outbox, database, send, clock, ...options });
    this.relays.push(relay);
    return relay;
  }

  add(message: Partial<OutboxMessage> = {}): Promise<string> {
    return this.database.transaction((tx) => this.outbox.add(tx, { topic: 'orders', body: 'a', ...message }));
  }

  /** Sets an entry whose message has its key as body. */
  set(key: string, entry: Partial<ScheduleEntry> = {}): Promise<void> {
    const message = { topic: 'orders', body: key };
    return this.database.transaction((tx) => this.schedule.set(tx, { key, message, ...entry }));
  }

  cancel(key: string): Promise<boolean> {
    return this.database.transaction((tx) => this.schedule.cancel(tx, key));
  }

  /** Adds a message for each letter of a string: `aab` adds a1, a2 and b1, in the groups a and b. */
  async addGroups(text: string): Promise<void> {
    const counts = new Map<string, number>();
    for (const messageGroup of text) {
      counts.set(messageGroup, (counts.get(messageGroup) ?? 0) + 1);
      await this.add({ body: `${messageGroup}${counts.get(messageGroup)}`, messageGroup });
    }
  }

  /** Sends all messages except those with these bodies, which fail. */
  failing(names: readonly string[], error: unknown = new Error('out of order')): OutboxRelayOptions['send'] {
    return async (message) => {
      if (names.includes(message.body.toString())) throw error;
      this.sent.push(message);
    };
  }

  bodies(): string[] {
    return this.sent.map(({ body }) => body.toString());
  }

  /** The states of all rows, in order. */
  async states(): Promise<string[]> {
    const { rows } = await this.database.query<{ state: string }>(
      'SELECT state FROM rocketmq_outbox ORDER BY position',
    );
    return rows.map(({ state }) => state);
  }

  /** Moves the clock from one task to the next, and waits for what each does. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.clock.nowMs() + durationMs;
    await this.settle();
    for (let atMs = 0; atMs < endMs; await this.settle()) {
      atMs = Math.min(this.clock.nextDueAtMs() ?? endMs, endMs);
      this.clock.advanceTo(atMs);
    }
  }

  /** Waits until everything that needs no time has happened. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    while (this.clock.activeWork().length > 0) await new Promise(setImmediate);
  }
}
