import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { OutboxBench } from '../../../../../test/fixtures/outbox-bench.js';
import { SteppedClock } from '../../../../../test/fixtures/stepped-clock.js';
import { NotSentError } from '../../producer/sending/not-sent-error.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { withCheckpoints } from '../../support/checkpoints.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { StateError, TransportError, UsageError } from '../../support/errors.js';
import { Inbox } from '../inbox.js';
import { OUTBOX_ID_PROPERTY } from '../outbox-message.js';
import type { SqlDatabase } from '../sql-port.js';
import { Outbox } from './outbox.js';
import type { OutboxRelayOptions } from './outbox-relay-options.js';

let bench: OutboxBench;

beforeAll(async () => {
  bench = await OutboxBench.open();
});
beforeEach(() => bench.begin());
afterEach(() => bench.end());
afterAll(() => bench.close());

describe('Outbox.add', () => {
  it('stores a message unchanged, and it is sent with its id', async () => {
    const given = { tag: 'v1', keys: ['4711'], properties: { region: 'eu' }, body: { grün: 'ja' } };
    const id = await bench.add(given);
    await bench.relayWith().runOnce();
    const properties = { region: 'eu', [OUTBOX_ID_PROPERTY]: id };
    expect(bench.sent).toEqual([
      { topic: 'orders', tag: 'v1', keys: ['4711'], properties, messageId: id, body: Buffer.from('{"grün":"ja"}') },
    ]);
    expect(id).toMatch(/^01[0-9A-F]{32}$/);
  });

  it('stores bytes and strings unchanged', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    await bench.add({ body: bytes });
    await bench.add({ body: "it's" });
    await bench.relayWith().runOnce();
    expect(bench.sent.map(({ body }) => body)).toEqual([bytes, Buffer.from("it's")]);
  });

  it('counts a delay from the call, not from the send', async () => {
    await bench.add({ delayMs: HOUR_MS });
    await bench.add({ priority: 3 });
    const dueAt = new Date(bench.clock.nowMs() + HOUR_MS);
    bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    await bench.relayWith().runOnce();
    expect(bench.sent.map(({ deliverAt, delayMs, priority }) => [deliverAt, delayMs, priority])).toEqual([
      [dueAt, undefined, undefined],
      [undefined, undefined, 3],
    ]);
  });

  it('rejects a delay beyond maxDelayMs while its transaction can still fail', async () => {
    const message = { topic: 'orders', body: 'a', delayMs: 48 * HOUR_MS };
    const columns = (outbox: Outbox): Promise<string> => bench.database.transaction((tx) => outbox.add(tx, message));
    await expect(columns(bench.outbox)).rejects.toMatchObject({ code: 'ILLEGAL_DELIVERY_TIME', field: 'delayMs' });
    await columns(new Outbox({ clock: bench.clock, maxDelayMs: 48 * HOUR_MS }));
    expect(() => new Outbox({ maxDelayMs: 0 })).toThrow('option maxDelayMs must be a number above 0');
  });

  it('sends nothing of a transaction that is rolled back', async () => {
    const failed = bench.database.transaction(async (tx) => {
      await bench.outbox.add(tx, { topic: 'orders', body: 'a' });
      throw new Error('out of stock');
    });
    await expect(failed).rejects.toThrow('out of stock');
    expect(await bench.relayWith().runOnce()).toBe(0);
  });

  it('rejects what no server accepts while the transaction can still fail', async () => {
    await expect(bench.add({ topic: 'no topic' })).rejects.toBeInstanceOf(UsageError);
    await expect(bench.add({ body: '' })).rejects.toMatchObject({ code: 'MESSAGE_BODY_EMPTY' });
    await expect(bench.add({ body: undefined })).rejects.toMatchObject({ code: 'ILLEGAL_BODY', field: 'body' });
    for (const [field, value] of [
      ['topic', 7],
      ['tag', null],
      ['keys', 'abc'],
      ['properties', { tenant: undefined }],
      ['properties', 'tenant'],
      ['messageGroup', 7],
      ['deliverAt', '2027-01-01'],
      ['deliverAt', new Date(-1)],
      ['delayMs', '1000'],
    ] as const) {
      await expect(bench.add({ [field]: value } as never)).rejects.toMatchObject({ name: 'UsageError', field });
    }
    await expect(bench.add({ messageGroup: 'g', delayMs: 1 })).rejects.toMatchObject({
      code: 'DELIVERY_TIME_WITH_GROUP',
    });
    expect(await bench.states()).toEqual([]);
  });
});

describe('OutboxRelay', () => {
  it('sends once, and deletes the row after its retention', async () => {
    await bench.add();
    const relay = bench.relayWith();
    expect([await relay.runOnce(), await relay.runOnce()]).toEqual([1, 0]);
    expect(await bench.states()).toEqual(['sent']);
    expect(await bench.outbox.purge(bench.database)).toBe(0);
    await bench.database.exec(`UPDATE rocketmq_outbox SET settled_at = now() - interval '25 hours'`);
    expect(await bench.outbox.purge(bench.database)).toBe(1);
  });

  it('sends each message group in order, and groups concurrently', async () => {
    await bench.addGroups('abab');
    let running = 0;
    let most = 0;
    const send = async (message: OutgoingMessage): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      bench.sent.push(message);
    };
    expect(await bench.relayWith({ send }).runOnce()).toBe(4);
    expect([bench.bodies(), most]).toEqual([['a1', 'b1', 'a2', 'b2'], 2]);
  });

  it('holds back only the group behind its failed head', async () => {
    await bench.addGroups('aab');
    await bench.relayWith({ send: bench.failing(['a1']) }).runOnce();
    expect([bench.bodies(), await bench.states()]).toEqual([['b1'], ['unsent', 'unsent', 'sent']]);
    // Neither another relay nor a new message of the group overtakes it.
    await bench.addGroups('a');
    expect(await bench.relayWith().runOnce()).toBe(0);
    bench.clock.advanceTo(bench.clock.nowMs() + SECOND_MS);
    await bench.relayWith().runOnce();
    expect(bench.bodies()).toEqual(['b1', 'a1', 'a2', 'a1']);
  });

  it('waits longer after each failure', async () => {
    await bench.add();
    const attempts: number[] = [];
    const startMs = bench.clock.nowMs();
    const send = async (): Promise<void> => {
      attempts.push((bench.clock.nowMs() - startMs) / SECOND_MS);
      throw new Error('no');
    };
    const relay = bench.relayWith({ send, maxAttempts: 4 });
    for (let second = 0; second < 20; second++) {
      await relay.runOnce();
      bench.clock.advanceTo(bench.clock.nowMs() + SECOND_MS);
    }
    expect(attempts).toEqual([0, 1, 3, 7]);
  });

  it('parks a message after its last attempt, calls the event handler, and continues with its group', async () => {
    await bench.addGroups('aa');
    const reported: unknown[] = [];
    const events = {
      onFailed: ({ attempts }: { attempts: number }) => void reported.push(`failed ${attempts}`),
      onParked: ({ messageGroup }: { messageGroup: string | undefined }) => {
        reported.push(`parked ${messageGroup}`);
        throw new Error('a watcher fails');
      },
    };
    const relay = bench.relayWith({ send: bench.failing(['a1'], new Error('poison')), maxAttempts: 2, events });
    await relay.runOnce();
    bench.clock.advanceTo(bench.clock.nowMs() + SECOND_MS);
    await relay.runOnce();
    await relay.runOnce();
    expect([reported, bench.bodies()]).toEqual([['failed 1', 'parked a'], ['a2']]);
    expect(await bench.outbox.parked(bench.database)).toMatchObject([
      { topic: 'orders', messageGroup: 'a', attempts: 2, lastError: 'poison' },
    ]);
    expect(await relay.metrics()).toMatchObject({ unsent: 0, parked: 1, sent: 1, failed: 1, givenUp: 1 });
  });

  it('parks an invalid message immediately, and allows it to be retried', async () => {
    const id = await bench.add({ body: 'wrong' });
    await bench.relayWith({ send: bench.failing(['wrong'], new UsageError('ILLEGAL_TOPIC', 'no')) }).runOnce();
    expect(await bench.states()).toEqual(['parked']);
    expect(await bench.outbox.retryParked(bench.database, ['another'])).toBe(0);
    expect(await bench.outbox.retryParked(bench.database, [id])).toBe(1);
    expect(await bench.outbox.retryParked(bench.database)).toBe(0);
    await bench.relayWith().runOnce();
    expect(await bench.states()).toEqual(['sent']);
  });

  it('retries without a limit when the error is not caused by the message', async () => {
    await bench.add();
    const errors = [
      new TransportError('UNAVAILABLE', 'away', 'unknown', true),
      new NotSentError('TOO_MANY_IN_FLIGHT', 'full'),
      new StateError('NOT_RUNNING', 'not yet'),
    ];
    for (const error of errors) {
      await bench.relayWith({ send: bench.failing(['a'], error), maxAttempts: 1 }).runOnce();
      expect(await bench.states()).toEqual(['unsent']);
      bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    }
    await bench.relayWith({ send: bench.failing(['a']), maxAttempts: 1, keepTrying: () => true }).runOnce();
    expect(await bench.states()).toEqual(['unsent']);
  });

  it('treats a send that does not end as failed', async () => {
    await bench.add();
    const signals: AbortSignal[] = [];
    const send: OutboxRelayOptions['send'] = (_, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const relay = bench.relayWith({ send, sendTimeoutMs: 20 });
    await relay.runOnce();
    expect([signals[0]?.aborted, (await relay.metrics()).failed]).toEqual([true, 1]);
  });

  it('sends the messages of a crashed relay after its claim has ended, with the same ids', async () => {
    await bench.addGroups('aab');
    const dying = withCheckpoints({}, (point, { topic }) => {
      expect(topic).toBe('orders');
      if (point === 'sent-before-mark') throw new Error('killed');
    });
    const hang = bench.relayWith(dying);
    await expect(hang.runOnce()).rejects.toThrow('killed');
    expect(bench.bodies()).toEqual(['a1', 'b1']);
    expect(await bench.relayWith().runOnce()).toBe(0);
    bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    await bench.relayWith().runOnce();
    expect(bench.bodies()).toEqual(['a1', 'b1', 'a1', 'b1', 'a2']);
    const ids = (name: string): unknown[] =>
      bench.sent.filter(({ body }) => body.toString() === name).map(({ messageId }) => messageId);
    expect(ids('a1')[0]).toBe(ids('a1')[1]);
    expect(ids('a1')[0]).not.toBe(ids('b1')[0]);
  });

  it('lets an inbox skip what it sent twice', async () => {
    await bench.add();
    const inbox = new Inbox();
    let done = 0;
    for (let sending = 0; sending < 2; sending++) {
      await bench.relayWith().runOnce();
      await bench.database.exec(`UPDATE rocketmq_outbox SET state = 'unsent', due_at = '-infinity'`);
    }
    for (const { messageId = '' } of bench.sent) {
      await bench.database.transaction((tx) =>
        inbox.once(tx, { consumerGroup: 'stock', messageId }, async () => done++),
      );
    }
    expect([bench.sent.length, done]).toEqual([2, 1]);
  });

  it('does not change the outcome of a message that another relay has claimed meanwhile', async () => {
    await bench.addGroups('aa');
    const slow = bench.relayWith({
      send: async () => {
        bench.clock.advanceTo(bench.clock.nowMs() + 2 * MINUTE_MS);
        await bench.relayWith().runOnce();
        throw new Error('too late');
      },
    });
    await slow.runOnce();
    expect([bench.bodies(), await bench.states()]).toEqual([
      ['a1', 'a2'],
      ['sent', 'sent'],
    ]);
  });

  it('starts no send for which its claim may be too short', async () => {
    await bench.addGroups('aa');
    const send = async (message: OutgoingMessage): Promise<void> => {
      bench.sent.push(message);
      bench.clock.advanceTo(bench.clock.nowMs() + 51 * SECOND_MS);
    };
    await bench.relayWith({ send }).runOnce();
    expect(bench.bodies()).toEqual(['a1']);
    await bench.relayWith().runOnce();
    expect(bench.bodies()).toEqual(['a1', 'a2']);
  });

  it('starts no send for which its claim may be too short, even if the wall clock is set back meanwhile', async () => {
    await bench.addGroups('aa');
    const clock = new SteppedClock(bench.clock);
    const send = async (message: OutgoingMessage): Promise<void> => {
      bench.sent.push(message);
      clock.step(-HOUR_MS);
      bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    };
    await bench.relayWith({ send, clock }).runOnce();
    expect(bench.bodies()).toEqual(['a1']);
  });

  it('claims no more than its batch size, the oldest first', async () => {
    await bench.addGroups('aaabc');
    const relay = bench.relayWith({ batchSize: 2 });
    expect([await relay.runOnce(), bench.bodies()]).toEqual([2, ['a1', 'a2']]);
    expect([await relay.runOnce(), bench.bodies()]).toEqual([2, ['a1', 'a2', 'a3', 'b1']]);
  });

  it('reports its backlog', async () => {
    const relay = bench.relayWith();
    expect(await relay.metrics()).toEqual({
      unsent: 0,
      oldestUnsentMs: 0,
      scheduled: 0,
      overdueMs: 0,
      parked: 0,
      sent: 0,
      failed: 0,
      givenUp: 0,
    });
    await bench.add();
    await bench.add();
    await bench.database.exec(`UPDATE rocketmq_outbox SET created_at = now() - interval '1 hour'`);
    await bench.add();
    const lag = await bench.outbox.lag(bench.database);
    expect(lag.unsent).toBe(3);
    expect(lag.oldestUnsentMs).toBeGreaterThanOrEqual(HOUR_MS);
    await relay.runOnce();
    expect(await relay.metrics()).toMatchObject({ unsent: 0, oldestUnsentMs: 0, sent: 3 });
  });

  it('rejects options that cannot work, and names them', () => {
    expect(() => bench.relayWith({ leaseMs: 5_000 })).toThrow(/leaseMs is 5000, but a send may take 10000/);
    expect(() => bench.relayWith({ batchSize: 0 })).toThrow('batchSize');
    expect(() => bench.relayWith({ maxAttempts: 0.5 })).toThrow('maxAttempts');
    expect(() => bench.relayWith({ pollIntervalMs: -1 })).toThrow('pollIntervalMs');
    for (const backoff of [-1, [], [1, Number.NaN]])
      expect(() => bench.relayWith({ backoff })).toThrow('option backoff');
    expect(() => new Outbox({ retentionMs: 0 })).toThrow('retentionMs');
  });
});

describe('a started OutboxRelay', () => {
  it('sends existing and added messages without being woken', async () => {
    await bench.add({ body: 'before' });
    const relay = bench.relayWith();
    relay.start();
    relay.start();
    await bench.settle();
    expect(bench.bodies()).toEqual(['before']);
    await bench.add({ body: 'after' });
    await bench.settle();
    expect(bench.bodies()).toEqual(['before', 'after']);
  });

  it('polls less and less often while there is nothing, and immediately when it is woken', async () => {
    const looks: number[] = [];
    const startMs = bench.clock.nowMs();
    const watched: SqlDatabase = {
      transaction: (work) => {
        looks.push(bench.clock.nowMs() - startMs);
        return bench.database.transaction(work);
      },
    };
    const relay = bench.relayWith({ database: watched, pollIntervalMs: 300 });
    relay.start();
    await bench.settle();
    const later = [2, 6, 14, 30, 62, 126, 254, 510, 810];
    for (const atMs of later.flatMap((one) => [one - 1, one])) {
      bench.clock.advanceTo(startMs + atMs);
      await bench.settle();
    }
    expect(looks).toEqual([0, ...later]);
    bench.clock.advanceTo(startMs + 1_000);
    await bench.settle();
    relay.wake();
    await bench.settle();
    expect(looks.at(-1)).toBe(1_000);
  });

  it('finds messages of other processes by polling', async () => {
    const relay = bench.relayWith();
    relay.start();
    await bench.settle();
    const elsewhere = new Outbox({ clock: bench.clock });
    await bench.database.transaction((tx) => elsewhere.add(tx, { topic: 'orders', body: 'foreign' }));
    await bench.settle();
    expect(bench.bodies()).toEqual([]);
    bench.clock.advanceTo(bench.clock.nowMs() + SECOND_MS);
    await bench.settle();
    expect(bench.bodies()).toEqual(['foreign']);
  });

  it('continues after the database has failed', async () => {
    await bench.add();
    let failures = 2;
    const flaky: SqlDatabase = {
      transaction: (work) => (failures-- > 0 ? Promise.reject(new Error('away')) : bench.database.transaction(work)),
    };
    const lines: string[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (line: string) => void lines.push(line) };
    bench.relayWith({ database: flaky, logger }).start();
    await bench.settle();
    for (let second = 0; second < 3; second++) {
      bench.clock.advanceTo(bench.clock.nowMs() + SECOND_MS);
      await bench.settle();
    }
    expect([bench.bodies(), lines.length]).toEqual([['a'], 2]);
  });

  it('stops in order: marks sends in flight, releases other claimed messages, and claims nothing more', async () => {
    await bench.addGroups('aab');
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const send = async (message: OutgoingMessage): Promise<void> => {
      bench.sent.push(message);
      await held;
    };
    const relay = bench.relayWith({ send });
    relay.start();
    while (bench.sent.length < 2) await new Promise(setImmediate);
    let hasEnded = false;
    const stopping = relay.stop().then(() => {
      hasEnded = true;
    });
    await new Promise(setImmediate);
    expect(hasEnded).toBe(false);
    release();
    await Promise.all([stopping, relay.stop()]);
    expect([bench.bodies(), await bench.states()]).toEqual([
      ['a1', 'b1'],
      ['sent', 'unsent', 'sent'],
    ]);
    expect(await bench.relayWith().runOnce()).toBe(1);
    expect(() => relay.start()).toThrow('CLOSED');
    await expect(relay.runOnce()).rejects.toThrow('CLOSED');
  });

  it('can be stopped before it was started', async () => {
    const relay = bench.relayWith();
    await relay.stop();
    const early = bench.relayWith();
    early.start();
    await early.stop();
    expect(bench.clock.nextDueAtMs()).toBeUndefined();
  });
});
