import { beforeEach, describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import type { Delivery } from './deliveries.js';

describe('an ordered group', () => {
  let harness: EngineHarness;

  beforeEach(() => {
    harness = new EngineHarness();
    harness.engine.declareTopic({ name: 't', type: 'fifo', queues: 1 });
    harness.engine.declareGroup({ name: 'g', fifo: true, maxDeliveryAttempts: 3 });
    send('a', 'b', 'c');
  });

  function send(...ids: string[]): void {
    for (const id of ids) harness.send('t', id, { type: 'fifo', messageGroup: 'x' });
  }

  function pop(batchSize: number, attemptId?: string): Delivery[] {
    return harness.pop('t', 'g', { batchSize, leaseMs: 10_000, attemptId }).deliveries;
  }

  function ids(deliveries: readonly Delivery[]): string[] {
    return deliveries.map(({ message, attempt }) => `${message.messageId}${attempt}`);
  }

  it('receives a queue in order, and no more of it until the batch is settled', () => {
    const [a, b] = pop(2) as [Delivery, Delivery];
    expect(ids([a, b])).toEqual(['a1', 'b1']);
    expect(pop(2)).toEqual([]);
    harness.ack(a, 'g');
    expect(pop(2)).toEqual([]);
    harness.ack(b, 'g');
    expect(ids(pop(2))).toEqual(['c1']);
  });

  it('is redelivered everything from the first unsettled message on, later acked ones included', () => {
    const [a, b, c] = pop(3) as [Delivery, Delivery, Delivery];
    harness.ack(a, 'g');
    harness.ack(c, 'g');
    send('d');
    harness.advance(10_000);
    expect(ids(pop(32))).toEqual(['b2', 'c2', 'd1']);
    expect(() => harness.ack(b, 'g')).toThrow('void');
  });

  it('waits for the longest lease of the batch', () => {
    const [a] = pop(2) as [Delivery];
    harness.change(a, 'g', 60_000);
    harness.advance(10_000);
    expect(pop(2)).toEqual([]);
    harness.advance(50_000);
    expect(ids(pop(2))).toEqual(['a2', 'b2']);
  });

  it('gets the same batch again for the same attempt id, with fresh handles and the same attempts', () => {
    const first = pop(2, 'try-1');
    const repeat = pop(2, 'try-1');
    expect(ids(repeat)).toEqual(['a1', 'b1']);
    expect(pop(2, 'try-2')).toEqual([]);
    expect(() => harness.ack(first[0] as Delivery, 'g')).toThrow('void');
    for (const delivery of repeat) harness.ack(delivery, 'g');
    expect(ids(pop(2, 'try-2'))).toEqual(['c1']);
  });

  it('counts an attempt for a released message, suspended or not', () => {
    const [a] = pop(1) as [Delivery];
    harness.change(a, 'g', 0, true);
    harness.advance(0);
    expect(ids(pop(1))).toEqual(['a2']);
  });

  it('continues after a message whose attempts are used up', () => {
    for (const expected of ['a1', 'a2', 'a3']) {
      expect(ids(pop(1))).toEqual([expected]);
      harness.advance(10_000);
    }
    expect(ids(pop(1))).toEqual([]);
    expect(harness.popIds('%DLQ%g', 'reader')).toEqual(['a5']);
    expect(ids(pop(1))).toEqual(['b1']);
  });

  it('keeps the attempts of what a poll did not reach because its filter is costly', () => {
    pop(3);
    harness.advance(10_000);
    const costly = {
      topic: 't',
      group: harness.engine.group('g'),
      batchSize: 3,
      leaseMs: 10_000,
      nowMs: harness.nowMs,
    };
    const cut = harness.engine.pop({ ...costly, attemptId: undefined, matches: () => true, effort: () => 600 });
    expect(ids(cut.deliveries)).toEqual(['a2', 'b2']);
    harness.advance(10_000);
    expect(ids(pop(3))).toEqual(['a3', 'b3', 'c2']);
  });

  it('continues after a message that it dead-lettered', () => {
    const [a, b] = pop(2) as [Delivery, Delivery];
    harness.forward(a, 'g');
    harness.ack(b, 'g');
    expect(ids(pop(2))).toEqual(['c1']);
    expect(harness.popIds('%DLQ%g', 'reader')).toEqual(['a2']);
  });

  it('dead-letters acked messages with the one before them that uses up its attempts', () => {
    for (let attempt = 1; attempt <= 3; attempt++) {
      const [, b] = pop(2) as [Delivery, Delivery];
      harness.ack(b, 'g');
      harness.advance(10_000);
    }
    expect(ids(pop(3))).toEqual(['c1']);
    expect(harness.popIds('%DLQ%g', 'reader')).toEqual(['a5', 'b5']);
  });

  it('is redelivered an acked message whose attempts are not used up, without the one before it', () => {
    for (let attempt = 1; attempt <= 2; attempt++) {
      pop(1);
      harness.advance(10_000);
    }
    const [, b] = pop(2) as [Delivery, Delivery];
    harness.ack(b, 'g');
    harness.advance(10_000);
    expect(ids(pop(3))).toEqual(['b2', 'c1']);
    expect(harness.popIds('%DLQ%g', 'reader')).toEqual(['a5']);
  });

  it('stores the messages of a message group in one queue', () => {
    harness.engine.declareTopic({ name: 'wide', type: 'fifo', queues: 8 });
    for (let index = 0; index < 5; index++) harness.send('wide', `m${index}-`, { type: 'fifo', messageGroup: 'g1' });
    const queues = harness.pop('wide', 'g').deliveries.map(({ queueId }) => queueId);
    expect(queues).toEqual([6, 6, 6, 6, 6]);
  });
});
