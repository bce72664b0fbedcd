import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import { storedMessage } from '../../../../../test/fixtures/stored-message.js';
import { keys } from '../store/records.js';
import { ALWAYS, messagesById, messagesByKey } from './message-index.js';
import { offsetAt, positionsOf, queueRanges } from './offsets.js';

const harness = (): EngineHarness => {
  const made = new EngineHarness({ indexed: true });
  made.engine.declareTopic({ name: 't', queues: 1 });
  return made;
};
const everything = ({ store }: EngineHarness): unknown[] =>
  Array.from(store.scan([]), ([key]) => key).filter(([kind]) => kind !== 'serial');

describe('a deleted topic', () => {
  it('leaves no message, index, delivery, due time or cursor behind', () => {
    const broker = harness();
    broker.engine.declareTopic({ name: 'd', type: 'delay' });
    broker.engine.declareTopic({ name: 'x', type: 'transaction' });
    broker.send('d', 'late', { type: 'delay', deliveryTimestampMs: broker.nowMs + 60_000 });
    broker.send('x', 'half', { type: 'transaction' });
    for (const id of ['1', '2', '3']) broker.send('t', id, { keys: ['k'] });
    broker.pop('t', 'g', { batchSize: 2, leaseMs: 1_000 });
    broker.pop('t', 'f', { batchSize: 1, attemptId: 'a' });
    broker.advance(2_000);
    const deleted = ['t', 'd', 'x'].map((topic) => broker.engine.administration.deleteTopic(topic));
    expect(deleted).toEqual([true, true, true]);
    expect(everything(broker).filter((key) => (key as string[])[0] !== 'group')).toEqual([]);
    expect(broker.engine.nextDueAtMs()).toBeUndefined();
    expect(broker.engine.administration.deleteTopic('t')).toBe(false);
  });

  it('is deleted without topics of similar names', () => {
    const broker = harness();
    broker.send('t', '1');
    broker.send('t2', '2');
    broker.pop('t2', 'g');
    const before = everything(broker).filter((key) => JSON.stringify(key).includes('"t2"'));
    broker.engine.administration.deleteTopic('t');
    expect(everything(broker).filter((key) => JSON.stringify(key).includes('"t2"'))).toEqual(before);
  });
});

describe('a deleted group', () => {
  it('leaves no state behind and does not change other groups', () => {
    const broker = harness();
    for (const id of ['1', '2']) broker.send('t', id);
    for (const group of ['g', 'g2']) broker.pop('t', group, { batchSize: 1 });
    expect(broker.engine.administration.deleteGroup('g')).toBe(true);
    const left = everything(broker).map((key) => JSON.stringify(key));
    expect(left.filter((key) => key.includes('"g"'))).toEqual([]);
    expect(left.filter((key) => key.includes('"g2"'))).not.toEqual([]);
    expect(broker.engine.administration.deleteGroup('g')).toBe(false);
    expect(broker.pop('t', 'g').deliveries.map(({ message }) => message.messageId)).toEqual(['1', '2']);
  });
});

describe('a moved group', () => {
  it('receives earlier messages again and cannot settle their old deliveries', () => {
    const broker = harness();
    for (const id of ['1', '2']) broker.send('t', id);
    const [first] = broker.pop('t', 'g', { batchSize: 1 }).deliveries;
    broker.engine.administration.moveGroup(broker.engine.group('g'), { topic: 't', queueId: 0, offset: 0 });
    expect(broker.pop('t', 'g').deliveries.map(({ message, attempt }) => [message.messageId, attempt])).toEqual([
      ['1', 1],
      ['2', 1],
    ]);
    expect(() => first && broker.ack(first, 'g')).toThrow('newer handle');
  });

  it('keeps its leases when it moves forward; the messages are redelivered when the leases end', () => {
    const broker = harness();
    for (const id of ['1', '2', '3']) broker.send('t', id);
    broker.pop('t', 'g', { batchSize: 1, leaseMs: 1_000 });
    broker.engine.administration.moveGroup(broker.engine.group('g'), { topic: 't', queueId: 0, offset: 2 });
    broker.advance(1_000);
    const ids = broker.pop('t', 'g').deliveries.map(({ message, attempt }) => [message.messageId, attempt]);
    expect(ids).toEqual([
      ['1', 2],
      ['3', 1],
    ]);
  });
});

describe('offsets', () => {
  it('are found by time', () => {
    const broker = harness();
    const times = [10, 10, 20, 40].map((afterMs) => broker.nowMs + afterMs);
    for (const storeTimestampMs of times) broker.send('t', 'id', { storeTimestampMs });
    const topic = broker.engine.topic('t');
    const [range] = queueRanges(broker.store, topic);
    if (range === undefined) throw new Error('no queue');
    expect(range).toMatchObject({ minOffset: 0, maxOffset: 4, lastStoredAtMs: times[3] });
    const found = [0, 10, 11, 20, 21, 40, 41].map((ms) => offsetAt(broker.store, 't', range, broker.nowMs + ms));
    expect(found).toEqual([0, 0, 2, 2, 3, 3, 4]);
  });

  it('of an ordered group stay at the first message that is not settled', () => {
    const broker = harness();
    broker.engine.declareGroup({ name: 'f', fifo: true });
    for (const id of ['1', '2', '3']) broker.send('t', id);
    const offsetOf = () =>
      positionsOf(broker.store, broker.engine.group('f'), broker.engine.topic('t')).map(({ offset }) => offset);
    const handed = broker.pop('t', 'f', { batchSize: 2 }).deliveries;
    expect(offsetOf()).toEqual([0]);
    for (const delivery of handed.slice(1)) broker.ack(delivery, 'f');
    expect(offsetOf()).toEqual([0]);
    for (const delivery of handed.slice(0, 1)) broker.ack(delivery, 'f');
    expect(offsetOf()).toEqual([2]);
  });
});

describe('the index', () => {
  it('finds messages by id and by key, limited to the newest', () => {
    const broker = harness();
    const start = broker.nowMs;
    for (const id of ['1', '2', '3', '4']) {
      broker.send('t', id, { keys: ['k', 'k'], storeTimestampMs: start + Number(id) });
    }
    const byKey = (limit: number, fromMs = 0, toMs = Number.MAX_SAFE_INTEGER - 1) => {
      const found = messagesByKey(broker.store, { topic: 't', key: 'k', fromMs, toMs, limit });
      return found.map(({ message }) => message.messageId);
    };
    expect(byKey(10)).toEqual(['1', '2', '3', '4']);
    expect(byKey(3)).toEqual(['2', '3', '4']);
    expect(byKey(10, start + 2, start + 3)).toEqual(['2', '3']);
    expect(messagesById(broker.store, { topic: 't', messageId: '3', limit: 5, ...ALWAYS })).toMatchObject([
      { offset: 2, message: { messageId: '3' } },
    ]);
    expect(messagesById(broker.store, { topic: 't', messageId: '5', limit: 5, ...ALWAYS })).toEqual([]);
  });

  it('finds the newest messages of an id in all queues', () => {
    const broker = harness();
    broker.engine.declareTopic({ name: 'q', queues: 3 });
    for (let index = 0; index < 20; index++) broker.send('q', 'same', { storeTimestampMs: broker.nowMs + index });
    const newest = (range: { fromMs: number; toMs: number }) =>
      messagesById(broker.store, { topic: 'q', messageId: 'same', limit: 5, ...range }).map(
        ({ message }) => message.storeTimestampMs - broker.nowMs,
      );
    expect(newest(ALWAYS)).toEqual([15, 16, 17, 18, 19]);
    expect(newest({ fromMs: 0, toMs: broker.nowMs + 10 })).toEqual([6, 7, 8, 9, 10]);
    expect(newest({ fromMs: broker.nowMs + 17, toMs: ALWAYS.toMs })).toEqual([17, 18, 19]);
  });

  it('is not written unless it is enabled', () => {
    const broker = new EngineHarness();
    broker.send('t', '1', { keys: ['k'] });
    expect([...broker.store.scan(keys.indexOf('t'))]).toEqual([]);
  });
});

describe('a message put directly into a topic', () => {
  it('is stored whatever the type of the topic, in the given queue or that of its message group', () => {
    const broker = harness();
    broker.engine.declareTopic({ name: 'f', type: 'fifo', queues: 8 });
    const { administration } = broker.engine;
    expect(administration.put('f', 3, storedMessage('m'))).toEqual({ queueId: 3, offset: 0 });
    const group = storedMessage('m', { messageGroup: 'order-12345' });
    expect(administration.put('f', undefined, group)).toEqual({ queueId: 4, offset: 0 });
  });
});
