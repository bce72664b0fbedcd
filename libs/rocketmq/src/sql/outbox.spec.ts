import { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/pglite';
import { NotSentError } from '../producer/not-sent-error.js';
import type { OutgoingMessage } from '../protocol/message.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { StateError, TransportError, UsageError } from '../support/errors.js';
import { ManualClock } from '../support/manual-clock.js';
import { drizzleDatabase, drizzleExecutor } from './drizzle.js';
import { Inbox } from './inbox.js';
import { Outbox } from './outbox.js';
import { OUTBOX_ID_PROPERTY, type OutboxMessage } from './outbox-message.js';
import { OutboxRelay } from './outbox-relay.js';
import type { OutboxRelayOptions } from './outbox-relay-options.js';
import { schemaSql } from './schema.js';
import type { SqlDatabase } from './sql-port.js';

// One database for all: starting it is what these tests cost.
let database: PGlite;
let clock: ManualClock;
let outbox: Outbox;
/** What was sent, in order. */
let sent: OutgoingMessage[];
let relays: OutboxRelay[];

beforeAll(async () => {
  database = await PGlite.create();
  await database.exec(schemaSql());
});

afterAll(async () => {
  await database.close();
});

beforeEach(async () => {
  await database.exec('DELETE FROM rocketmq_outbox');
  clock = new ManualClock();
  outbox = new Outbox({ clock });
  sent = [];
  relays = [];
});

afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
});

function relayWith(options: Partial<OutboxRelayOptions> = {}): OutboxRelay {
  const send = async (message: OutgoingMessage): Promise<void> => void sent.push(message);
  const relay = new OutboxRelay({ outbox, database, send, clock, ...options });
  relays.push(relay);
  return relay;
}

function add(message: Partial<OutboxMessage> = {}): Promise<string> {
  return database.transaction((tx) => outbox.add(tx, { topic: 'orders', body: 'a', ...message }));
}

/** Adds messages `k1`, `k2` … for each letter of a text: `aab` is a1, a2 and b1, in the groups a and b. */
async function addGroups(text: string): Promise<void> {
  const counts = new Map<string, number>();
  for (const messageGroup of text) {
    counts.set(messageGroup, (counts.get(messageGroup) ?? 0) + 1);
    await add({ body: `${messageGroup}${counts.get(messageGroup)}`, messageGroup });
  }
}

const bodies = (): string[] => sent.map(({ body }) => body.toString());

async function states(): Promise<unknown[]> {
  return (await database.query('SELECT state FROM rocketmq_outbox ORDER BY position')).rows.map(
    (row) => (row as { state: string }).state,
  );
}

function failing(names: readonly string[], error: unknown = new Error('out of order')): OutboxRelayOptions['send'] {
  return async (message) => {
    if (names.includes(message.body.toString())) throw error;
    sent.push(message);
  };
}

/** Lets everything happen that can happen without time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  while (clock.activeWork().length > 0) await new Promise(setImmediate);
}

describe('Outbox.add', () => {
  it('keeps a message as it was given, and it is sent under its id', async () => {
    const given = { tag: 'v1', keys: ['4711'], properties: { region: 'eu' }, body: { grün: 'ja' } };
    const id = await add(given);
    await relayWith().runOnce();
    const properties = { region: 'eu', [OUTBOX_ID_PROPERTY]: id };
    expect(sent).toEqual([
      { topic: 'orders', tag: 'v1', keys: ['4711'], properties, messageId: id, body: Buffer.from('{"grün":"ja"}') },
    ]);
    expect(id).toMatch(/^01[0-9A-F]{32}$/);
  });

  it('keeps bytes and texts as they are', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    await add({ body: bytes });
    await add({ body: "it's" });
    await relayWith().runOnce();
    expect(sent.map(({ body }) => body)).toEqual([bytes, Buffer.from("it's")]);
  });

  it('counts a delay from the call, not from the sending', async () => {
    await add({ delayMs: HOUR_MS });
    await add({ priority: 3 });
    const dueAt = new Date(clock.nowMs() + HOUR_MS);
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    await relayWith().runOnce();
    expect(sent.map(({ deliverAt, delayMs, priority }) => [deliverAt, delayMs, priority])).toEqual([
      [dueAt, undefined, undefined],
      [undefined, undefined, 3],
    ]);
  });

  it('sends nothing of a transaction that is rolled back', async () => {
    const failed = database.transaction(async (tx) => {
      await outbox.add(tx, { topic: 'orders', body: 'a' });
      throw new Error('out of stock');
    });
    await expect(failed).rejects.toThrow('out of stock');
    expect(await relayWith().runOnce()).toBe(0);
  });

  it('refuses what no server takes while the transaction can still fail', async () => {
    await expect(add({ topic: 'no topic' })).rejects.toBeInstanceOf(UsageError);
    await expect(add({ body: '' })).rejects.toMatchObject({ code: 'MESSAGE_BODY_EMPTY' });
    await expect(add({ body: undefined })).rejects.toMatchObject({ code: 'ILLEGAL_BODY', field: 'body' });
    await expect(add({ messageGroup: 'g', delayMs: 1 })).rejects.toMatchObject({ code: 'DELIVERY_TIME_WITH_GROUP' });
    expect(await states()).toEqual([]);
  });
});

describe('OutboxRelay', () => {
  it('sends once, and drops the row when its time is over', async () => {
    await add();
    const relay = relayWith();
    expect([await relay.runOnce(), await relay.runOnce()]).toEqual([1, 0]);
    expect(await states()).toEqual(['sent']);
    expect(await outbox.purge(database)).toBe(0);
    await database.exec(`UPDATE rocketmq_outbox SET settled_at = now() - interval '25 hours'`);
    expect(await outbox.purge(database)).toBe(1);
  });

  it('sends each message group in order, groups side by side', async () => {
    await addGroups('abab');
    let running = 0;
    let most = 0;
    const send = async (message: OutgoingMessage): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      sent.push(message);
    };
    expect(await relayWith({ send }).runOnce()).toBe(4);
    expect([bodies(), most]).toEqual([['a1', 'b1', 'a2', 'b2'], 2]);
  });

  it('keeps a group behind its failed head, and nobody else', async () => {
    await addGroups('aab');
    await relayWith({ send: failing(['a1']) }).runOnce();
    expect([bodies(), await states()]).toEqual([['b1'], ['unsent', 'unsent', 'sent']]);
    // Neither another relay nor a new message of the group gets past it.
    await addGroups('a');
    expect(await relayWith().runOnce()).toBe(0);
    clock.advanceTo(clock.nowMs() + SECOND_MS);
    await relayWith().runOnce();
    expect(bodies()).toEqual(['b1', 'a1', 'a2', 'a1']);
  });

  it('waits longer after each failure', async () => {
    await add();
    const attempts: number[] = [];
    const startMs = clock.nowMs();
    const send = async (): Promise<void> => {
      attempts.push((clock.nowMs() - startMs) / SECOND_MS);
      throw new Error('no');
    };
    const relay = relayWith({ send, maxAttempts: 4 });
    for (let second = 0; second < 20; second++) {
      await relay.runOnce();
      clock.advanceTo(clock.nowMs() + SECOND_MS);
    }
    expect(attempts).toEqual([0, 1, 3, 7]);
  });

  it('parks a message after its last attempt, tells so, and goes on with its group', async () => {
    await addGroups('aa');
    const told: unknown[] = [];
    const events = {
      onFailed: ({ attempts }: { attempts: number }) => void told.push(`failed ${attempts}`),
      onParked: ({ messageGroup }: { messageGroup: string | undefined }) => {
        told.push(`parked ${messageGroup}`);
        throw new Error('a watcher fails');
      },
    };
    const relay = relayWith({ send: failing(['a1'], new Error('poison')), maxAttempts: 2, events });
    await relay.runOnce();
    clock.advanceTo(clock.nowMs() + SECOND_MS);
    await relay.runOnce();
    await relay.runOnce();
    expect([told, bodies()]).toEqual([['failed 1', 'parked a'], ['a2']]);
    expect(await outbox.parked(database)).toMatchObject([
      { topic: 'orders', messageGroup: 'a', attempts: 2, lastError: 'poison' },
    ]);
    expect(await relay.metrics()).toMatchObject({ unsent: 0, parked: 1, sent: 1, failed: 1, givenUp: 1 });
  });

  it('parks at once what is wrong in itself, and lets it be tried again', async () => {
    const id = await add({ body: 'wrong' });
    await relayWith({ send: failing(['wrong'], new UsageError('ILLEGAL_TOPIC', 'no')) }).runOnce();
    expect(await states()).toEqual(['parked']);
    expect(await outbox.retryParked(database, ['another'])).toBe(0);
    expect(await outbox.retryParked(database, [id])).toBe(1);
    expect(await outbox.retryParked(database)).toBe(0);
    await relayWith().runOnce();
    expect(await states()).toEqual(['sent']);
  });

  it('tries for as long as it takes when the error says nothing against the message', async () => {
    await add();
    const errors = [
      new TransportError('UNAVAILABLE', 'away', 'unknown', true),
      new NotSentError('TOO_MANY_IN_FLIGHT', 'full'),
      new StateError('NOT_RUNNING', 'not yet'),
    ];
    for (const error of errors) {
      await relayWith({ send: failing(['a'], error), maxAttempts: 1 }).runOnce();
      expect(await states()).toEqual(['unsent']);
      clock.advanceTo(clock.nowMs() + MINUTE_MS);
    }
    await relayWith({ send: failing(['a']), maxAttempts: 1, keepTrying: () => true }).runOnce();
    expect(await states()).toEqual(['unsent']);
  });

  it('takes a sending that does not end as failed', async () => {
    await add();
    const signals: AbortSignal[] = [];
    const send: OutboxRelayOptions['send'] = (_, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const relay = relayWith({ send, sendTimeoutMs: 20 });
    await relay.runOnce();
    expect([signals[0]?.aborted, (await relay.metrics()).failed]).toEqual([true, 1]);
  });

  it('leaves the messages of a relay that died to others when its claim is over, under the same ids', async () => {
    await addGroups('aab');
    const hang = relayWith({
      checkpoint: (point, { topic }) => {
        expect(topic).toBe('orders');
        if (point === 'sent-before-mark') throw new Error('killed');
      },
    });
    await expect(hang.runOnce()).rejects.toThrow('killed');
    expect(bodies()).toEqual(['a1', 'b1']);
    expect(await relayWith().runOnce()).toBe(0);
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    await relayWith().runOnce();
    expect(bodies()).toEqual(['a1', 'b1', 'a1', 'b1', 'a2']);
    const ids = (name: string): unknown[] =>
      sent.filter(({ body }) => body.toString() === name).map(({ messageId }) => messageId);
    expect(ids('a1')[0]).toBe(ids('a1')[1]);
    expect(ids('a1')[0]).not.toBe(ids('b1')[0]);
  });

  it('lets an inbox drop what it sent twice', async () => {
    await add();
    const inbox = new Inbox();
    let done = 0;
    for (let sending = 0; sending < 2; sending++) {
      await relayWith().runOnce();
      await database.exec(`UPDATE rocketmq_outbox SET state = 'unsent', due_at = '-infinity'`);
    }
    for (const { messageId = '' } of sent) {
      await database.transaction((tx) => inbox.once(tx, { consumerGroup: 'stock', messageId }, async () => done++));
    }
    expect([sent.length, done]).toEqual([2, 1]);
  });

  it('does not undo the end of a message that others have taken meanwhile', async () => {
    await addGroups('aa');
    const slow = relayWith({
      send: async () => {
        clock.advanceTo(clock.nowMs() + 2 * MINUTE_MS);
        await relayWith().runOnce();
        throw new Error('too late');
      },
    });
    await slow.runOnce();
    expect([bodies(), await states()]).toEqual([
      ['a1', 'a2'],
      ['sent', 'sent'],
    ]);
  });

  it('begins no sending for which its claim may be too short', async () => {
    await addGroups('aa');
    const send = async (message: OutgoingMessage): Promise<void> => {
      sent.push(message);
      clock.advanceTo(clock.nowMs() + 51 * SECOND_MS);
    };
    await relayWith({ send }).runOnce();
    expect(bodies()).toEqual(['a1']);
    await relayWith().runOnce();
    expect(bodies()).toEqual(['a1', 'a2']);
  });

  it('takes no more than its batch, the oldest first', async () => {
    await addGroups('aaabc');
    const relay = relayWith({ batchSize: 2 });
    expect([await relay.runOnce(), bodies()]).toEqual([2, ['a1', 'a2']]);
    expect([await relay.runOnce(), bodies()]).toEqual([2, ['a1', 'a2', 'a3', 'b1']]);
  });

  it('works on Drizzle', async () => {
    const db = drizzle(database);
    await db.transaction((tx) =>
      outbox.add(drizzleExecutor(tx, sql), { topic: 'orders', body: 'a', messageGroup: 'g' }),
    );
    expect(await relayWith({ database: drizzleDatabase(db, sql) }).runOnce()).toBe(1);
    expect([bodies(), await outbox.retryParked(drizzleExecutor(db, sql), ['a', 'b'])]).toEqual([['a'], 0]);
  });

  it('says how far it is behind', async () => {
    const relay = relayWith();
    expect(await relay.metrics()).toEqual({
      ...{ unsent: 0, oldestUnsentMs: 0, parked: 0 },
      ...{ sent: 0, failed: 0, givenUp: 0 },
    });
    await add();
    await add();
    await database.exec(`UPDATE rocketmq_outbox SET created_at = now() - interval '1 hour'`);
    await add();
    const lag = await outbox.lag(database);
    expect(lag.unsent).toBe(3);
    expect(lag.oldestUnsentMs).toBeGreaterThanOrEqual(HOUR_MS);
    await relay.runOnce();
    expect(await relay.metrics()).toMatchObject({ unsent: 0, oldestUnsentMs: 0, sent: 3 });
  });

  it('refuses options that cannot work, and names them', () => {
    expect(() => relayWith({ leaseMs: 5_000 })).toThrow(/leaseMs is 5000, but a sending may take 10000/);
    expect(() => relayWith({ batchSize: 0 })).toThrow('batchSize');
    expect(() => relayWith({ maxAttempts: 0.5 })).toThrow('maxAttempts');
    expect(() => relayWith({ pollIntervalMs: -1 })).toThrow('pollIntervalMs');
    for (const backoff of [-1, [], [1, Number.NaN]]) expect(() => relayWith({ backoff })).toThrow('option backoff');
    expect(() => new Outbox({ retentionMs: 0 })).toThrow('retentionMs');
  });
});

describe('a started OutboxRelay', () => {
  it('sends what is there and what is added, without a word from outside', async () => {
    await add({ body: 'before' });
    const relay = relayWith();
    relay.start();
    relay.start();
    await settle();
    expect(bodies()).toEqual(['before']);
    await add({ body: 'after' });
    await settle();
    expect(bodies()).toEqual(['before', 'after']);
  });

  it('looks less and less often while there is nothing, and at once when it is woken', async () => {
    const looks: number[] = [];
    const startMs = clock.nowMs();
    const watched: SqlDatabase = {
      transaction: (work) => {
        looks.push(clock.nowMs() - startMs);
        return database.transaction(work);
      },
    };
    const relay = relayWith({ database: watched, pollIntervalMs: 300 });
    relay.start();
    await settle();
    for (let atMs = 50; atMs <= 1_000; atMs += 50) {
      clock.advanceTo(startMs + atMs);
      await settle();
    }
    expect(looks).toEqual([0, 50, 150, 350, 650, 950]);
    relay.wake();
    await settle();
    expect(looks.at(-1)).toBe(1_000);
  });

  it('finds messages of other processes by looking', async () => {
    const relay = relayWith();
    relay.start();
    await settle();
    const elsewhere = new Outbox({ clock });
    await database.transaction((tx) => elsewhere.add(tx, { topic: 'orders', body: 'foreign' }));
    await settle();
    expect(bodies()).toEqual([]);
    clock.advanceTo(clock.nowMs() + SECOND_MS);
    await settle();
    expect(bodies()).toEqual(['foreign']);
  });

  it('goes on when the database has failed', async () => {
    await add();
    let failures = 2;
    const flaky: SqlDatabase = {
      transaction: (work) => (failures-- > 0 ? Promise.reject(new Error('away')) : database.transaction(work)),
    };
    const lines: string[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (line: string) => void lines.push(line) };
    relayWith({ database: flaky, logger }).start();
    await settle();
    for (let second = 0; second < 3; second++) {
      clock.advanceTo(clock.nowMs() + SECOND_MS);
      await settle();
    }
    expect([bodies(), lines.length]).toEqual([['a'], 2]);
  });

  it('ends in order: what is being sent is marked, what is not begun is given back, nothing more is taken', async () => {
    await addGroups('aab');
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const send = async (message: OutgoingMessage): Promise<void> => {
      sent.push(message);
      await held;
    };
    const relay = relayWith({ send });
    relay.start();
    while (sent.length < 2) await new Promise(setImmediate);
    let hasEnded = false;
    const stopping = relay.stop().then(() => {
      hasEnded = true;
    });
    await new Promise(setImmediate);
    expect(hasEnded).toBe(false);
    release();
    await Promise.all([stopping, relay.stop()]);
    expect([bodies(), await states()]).toEqual([
      ['a1', 'b1'],
      ['sent', 'unsent', 'sent'],
    ]);
    expect(await relayWith().runOnce()).toBe(1);
    expect(() => relay.start()).toThrow('CLOSED');
    await expect(relay.runOnce()).rejects.toThrow('CLOSED');
  });

  it('stops before it has begun', async () => {
    const relay = relayWith();
    await relay.stop();
    const early = relayWith();
    early.start();
    await early.stop();
    expect(clock.nextDueAtMs()).toBeUndefined();
  });
});
