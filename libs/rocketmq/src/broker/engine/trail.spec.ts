import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import type { MessageEntry } from './views.js';

const DELAYED = 'rmq_sys_wheel_timer';
const HALF = 'RMQ_SYS_TRANS_HALF_TOPIC';

function harness(): EngineHarness {
  const broker = new EngineHarness({ indexed: true });
  broker.engine.declareTopic({ name: 't', queues: 1 });
  return broker;
}

const found = ({ engine }: EngineHarness, keptIn: string, messageId = 'm'): MessageEntry[] =>
  engine.trail?.find(keptIn, messageId, 32) ?? [];
const attempts = (entries: readonly MessageEntry[]): number[] => entries.map(({ message }) => message.earlierAttempts);

/** The group receives what it can get, and lets the leases end. */
function fail(broker: EngineHarness, group = 'g', times = 1, topic = 't'): void {
  for (let time = 0; time < times; time++) {
    broker.pop(topic, group, { leaseMs: 1_000 });
    broker.advance(1_000);
  }
}

describe('the trail of a message', () => {
  it('has each delivery that failed, and takes no room in the store', () => {
    const broker = harness();
    broker.send('t', 'm', { body: Buffer.alloc(100_000, 1) });
    fail(broker);
    const bytes = broker.store.usedBytes();
    fail(broker, 'g', 10);
    expect(broker.store.usedBytes()).toBe(bytes);
    expect(broker.engine.topics().map(({ name }) => name)).toEqual(['t']);
    expect(attempts(found(broker, '%RETRY%g_t'))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(found(broker, '%RETRY%g_t')[0]?.message).toMatchObject({
      messageId: 'm',
      body: Buffer.alloc(100_000, 1),
      properties: { ORIGIN_GROUP: 'g', '1ST_POP_TIME': '1000000' },
    });
  });

  it('has nothing of a delivery that succeeds, is released with its attempt, or is of an ordered group', () => {
    const broker = harness();
    broker.engine.declareGroup({ name: 'ordered', fifo: true });
    broker.send('t', 'm');
    fail(broker, 'ordered');
    for (const delivery of broker.pop('t', 'good').deliveries) broker.ack(delivery, 'good');
    for (let release = 0; release < 5; release++) {
      for (const delivery of broker.pop('t', 'paused').deliveries) broker.change(delivery, 'paused', 1_000, true);
      broker.advance(1_000);
    }
    expect(broker.engine.trail?.written).toBe(0);
  });

  it('has a message that was delivered again by hand', () => {
    const broker = harness();
    broker.send('t', 'm');
    for (const delivery of broker.pop('t', 'g').deliveries) broker.ack(delivery, 'g');
    const at = { topic: 't', queueId: 0, offset: 0 };
    broker.engine.interventions.deliverAgain(broker.engine.group('g'), at, broker.nowMs);
    expect(attempts(found(broker, '%RETRY%g_t'))).toEqual([0]);
  });

  it('distinguishes the redelivery that waits from those that were received', () => {
    const broker = harness();
    broker.send('t', 'm');
    const waits = (): boolean[] =>
      found(broker, '%RETRY%g_t').map(({ offset }) => offset >= (broker.engine.trail?.written ?? 0));
    fail(broker, 'g', 2);
    expect(waits()).toEqual([false, true]);
    broker.pop('t', 'g');
    expect(waits()).toEqual([false, false]);
  });

  it('has a half message after its end, with the body while the message is stored', () => {
    const broker = harness();
    broker.engine.declareTopic({ name: 'x', type: 'transaction' });
    for (const id of ['kept', 'gone']) broker.send('x', id, { type: 'transaction', body: Buffer.from(id) });
    const sentAtMs = broker.nowMs;
    expect([found(broker, HALF, 'kept'), found(broker, HALF, 'gone')]).toEqual([[], []]);
    broker.nowMs += 100;
    broker.end('x', 'kept', 'commit');
    broker.end('x', 'gone', 'rollback');
    const [[kept], [gone]] = [found(broker, HALF, 'kept'), found(broker, HALF, 'gone')];
    const properties = { REAL_TOPIC: 'x' };
    expect(kept?.message).toMatchObject({ storeTimestampMs: sentAtMs, body: Buffer.from('kept'), properties });
    expect(gone?.message).toMatchObject({
      storeTimestampMs: sentAtMs,
      body: Buffer.alloc(0),
      properties: { ...properties, BODY_GONE: 'true' },
    });
  });

  it('has a delay after it is over, and its cancellation', () => {
    const broker = harness();
    broker.engine.declareTopic({ name: 'd', type: 'delay' });
    const sent = ['due', 'canceled'].map((id) => {
      return broker.send('d', id, {
        type: 'delay',
        deliveryTimestampMs: broker.nowMs + 5_000,
        body: Buffer.from(id),
        keys: ['k'],
      });
    });
    broker.engine.recall('d', sent[1]?.recallHandle ?? '', broker.nowMs);
    broker.advance(5_000);
    expect(found(broker, DELAYED, 'due').map(({ message }) => message.body.toString())).toEqual(['due']);
    expect(found(broker, DELAYED, 'canceled').map(({ message }) => [message.keys, message.properties])).toEqual([
      [['k'], { REAL_TOPIC: 'd', REAL_QID: '0', TIMER_OUT_MS: '1004999', BODY_GONE: 'true' }],
      [
        [],
        { REAL_TOPIC: 'd', REAL_QID: '0', TIMER_OUT_MS: '1004999', TIMER_DEL_UNIQKEY: 'canceled', BODY_GONE: 'true' },
      ],
    ]);
  });

  it('has the delayed messages that wait in the order in which they arrived', () => {
    const broker = harness();
    const waiting = (): unknown[] => (broker.engine.trail?.delayed.all ?? []).map((key) => key[2]);
    const delay = (topic: string, id: string, delayMs: number) =>
      broker.send(topic, id, { type: 'delay', deliveryTimestampMs: broker.nowMs + delayMs });
    for (const topic of ['d', 'e']) broker.engine.declareTopic({ name: topic, type: 'delay' });
    delay('e', 'z', 9_000);
    delay('d', 'y', 1_000);
    expect(waiting()).toEqual(['z', 'y']);
    const { recallHandle = '' } = delay('d', 'x', 9_000);
    delay('d', 'w', 9_000);
    delay('e', 'v', 9_000);
    expect(waiting()).toEqual(['z', 'y', 'x', 'w', 'v']);
    broker.advance(1_000);
    broker.engine.recall('d', recallHandle, broker.nowMs);
    expect(waiting()).toEqual(['z', 'w', 'v']);
    broker.engine.interventions.deliverNow({ topic: 'e', messageId: 'z' }, broker.nowMs);
    broker.engine.administration.deleteTopic('d');
    expect(waiting()).toEqual(['v']);
  });

  it('never has the body of another message', () => {
    const broker = harness();
    broker.engine.declareTopic({ name: 'x', type: 'transaction' });
    broker.send('x', 'm', { type: 'transaction', body: Buffer.from('own') }, 1_000);
    broker.advance(600_000);
    expect(broker.givenUp).toEqual(['m']);
    expect(found(broker, HALF).map(({ message }) => message.body.toString())).toEqual(['own']);
    const { administration } = broker.engine;
    administration.deleteTopic('TRANS_CHECK_MAX_TIME_TOPIC');
    broker.send('x', 'other', { type: 'transaction', body: Buffer.from('other') }, 1_000);
    broker.advance(600_000);
    expect(found(broker, HALF).map(({ message }) => message.body.toString())).toEqual(['']);
  });

  it('is removed with its topic, and with its group, but not with one of a similar name', () => {
    const broker = harness();
    broker.engine.declareTopic({ name: 'b_t', queues: 1 });
    broker.send('t', 'm');
    broker.send('b_t', 'm');
    fail(broker, 'a_b');
    fail(broker, 'a', 1, 'b_t');
    const groups = (): unknown[] => found(broker, '%RETRY%a_b_t').map(({ message }) => message.properties.ORIGIN_GROUP);
    expect(groups()).toEqual(['a_b', 'a']);
    broker.engine.administration.deleteGroup('a');
    expect(groups()).toEqual(['a_b']);
    broker.engine.administration.deleteTopic('b_t');
    expect(groups()).toEqual(['a_b']);
    broker.engine.administration.deleteTopic('t');
    expect(groups()).toEqual([]);
  });

  it('is bounded in entries and in characters, and loses the oldest', () => {
    const broker = harness();
    broker.send('t', 'm');
    broker.engine.declareGroup({ name: 'g', maxDeliveryAttempts: 10_000 });
    fail(broker, 'g', 2_010);
    const entries = broker.engine.trail?.find('%RETRY%g_t', 'm', 10_000) ?? [];
    expect([entries.length, attempts(entries)[0]]).toEqual([2_000, 11]);
    const long = harness();
    for (let group = 0; group < 20; group++) long.send('t', `${group} ${'x'.repeat(100_000)}`);
    fail(long);
    const ids = Array.from({ length: 20 }, (_, group) => `${group} ${'x'.repeat(100_000)}`);
    expect(ids.filter((id) => found(long, '%RETRY%g_t', id).length > 0)).toEqual(ids.slice(-9));
  });

  it('is not kept by a broker without tools', () => {
    expect(new EngineHarness().engine.trail).toBeUndefined();
  });
});
