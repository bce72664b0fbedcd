// What a full broker rejects, and what goes on. How much it really holds: test/processes/memory-limit.long.spec.ts.

import { describe, expect, it } from '@jest/globals';
import { EngineHarness } from '../../../../../test/fixtures/engine-harness.js';
import { DEFAULT_BACKOFF } from '../../protocol/model/delay-levels.js';
import type { StoredMessage } from '../store/records.js';

const LIMIT_BYTES = 100_000;
const FULL = expect.objectContaining({ reason: 'store-full', message: expect.stringContaining('maxMemoryBytes') });

function reasonOf(command: () => unknown): unknown {
  try {
    command();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Sends to a topic until the broker rejects it. @returns how many messages it took */
function fill(harness: EngineHarness, fields: Partial<StoredMessage> = {}): number {
  for (let count = 0; ; count++) {
    const error = reasonOf(() => harness.send('t', `m${count}`, fields));
    if (error === undefined) continue;
    expect(error).toEqual(FULL);
    return count;
  }
}

describe('a full broker', () => {
  it.each<[string, Partial<StoredMessage>]>([
    ['bodies', { body: Buffer.alloc(1_000) }],
    ['properties', { properties: { p: 'x'.repeat(1_000) } }],
    ['keys', { keys: Array.from({ length: 50 }, (_, index) => `key number ${index}`) }],
    ['a trace context', { traceContext: 'x'.repeat(1_000) }],
    ['a tag', { tag: 'x'.repeat(1_000) }],
  ])('has counted the bytes of %s', (_, fields) => {
    const harness = new EngineHarness({ maxStoreBytes: LIMIT_BYTES });
    expect(fill(harness, fields)).toBeLessThan(LIMIT_BYTES / 1_000);
    expect(harness.store.usedBytes()).toBeLessThanOrEqual(LIMIT_BYTES);
  });

  it('rejects a message that is too large, and takes a smaller one', () => {
    const harness = new EngineHarness({ maxStoreBytes: LIMIT_BYTES });
    expect(reasonOf(() => harness.send('t', 'large', { body: Buffer.alloc(LIMIT_BYTES) }))).toEqual(FULL);
    expect(harness.engine.topics()).toEqual([]);
    harness.send('t', 'small');
    expect(harness.popIds('t', 'g')).toEqual(['small1']);
  });

  it('creates no topic and no group, neither on first use nor for a tool, and still alters those that exist', () => {
    const harness = new EngineHarness({ maxStoreBytes: LIMIT_BYTES });
    const { engine } = harness;
    const backoff = DEFAULT_BACKOFF;
    const group = { name: 'g', fifo: false, maxDeliveryAttempts: 1, backoff };
    engine.group('g');
    fill(harness);
    // What is left has room for some.
    let topics = 1;
    while (reasonOf(() => engine.topic(`t${topics}`)) === undefined) topics++;
    const rejected = [
      () => engine.topic('new'),
      () => engine.group('new'),
      () => engine.alterTopic({ name: 'new', type: 'normal', queues: 1 }),
      () => engine.alterGroup({ ...group, name: 'new' }),
    ];
    expect(rejected.map(reasonOf)).toEqual(rejected.map(() => FULL));
    expect([engine.topics().length, engine.groups().length]).toEqual([topics, 1]);
    engine.alterTopic({ name: 't', type: 'normal', queues: 9 });
    engine.alterGroup(group);
    expect([engine.findTopic('t')?.queues, engine.findGroup('g')?.maxDeliveryAttempts]).toEqual([9, 1]);
  });

  it('hands out what it has, until the groups hold too much; acknowledgments make room for the rest', () => {
    const harness = new EngineHarness({ maxStoreBytes: LIMIT_BYTES });
    const groups = ['a', 'b', 'c'];
    for (const group of groups) harness.engine.group(group);
    const sent = fill(harness);
    const held = new Map<string, ReturnType<EngineHarness['pop']>['deliveries']>();
    let rejection: unknown;
    for (const group of groups) {
      const got: ReturnType<EngineHarness['pop']>['deliveries'] = [];
      held.set(group, got);
      while (got.length < sent && rejection === undefined) {
        rejection = reasonOf(() => got.push(...harness.pop('t', group, { batchSize: 4 }).deliveries));
      }
    }
    expect(rejection).toEqual(FULL);
    expect(harness.store.usedBytes()).toBeLessThan(1.3 * LIMIT_BYTES);
    // What is handed out can be redelivered: that takes no more room.
    const [again] = held.get('a') ?? [];
    harness.change(again as NonNullable<typeof again>, 'a', 1_000, true);
    harness.advance(1_000);
    expect(harness.pop('t', 'a', { batchSize: 1 }).deliveries.map(({ offset }) => offset)).toEqual([again?.offset]);
    // Every group gets every message in the end.
    const counts = groups.map((group) => {
      let count = 0;
      for (let time = 0; time < 10 * sent; time++) {
        for (const delivery of held.get(group)?.splice(0) ?? []) {
          if (reasonOf(() => harness.ack(delivery, group)) === undefined) count++;
        }
        reasonOf(() => held.get(group)?.push(...harness.pop('t', group, { batchSize: 4 }).deliveries));
        if (count >= sent) break;
        harness.advance(1_000);
      }
      return count;
    });
    expect(counts).toEqual(groups.map(() => sent));
  });
});
