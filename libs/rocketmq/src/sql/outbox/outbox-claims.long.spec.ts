// What a claim of an outbox contains.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { OutboxBench } from '../../../../../test/fixtures/outbox-bench.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { SECOND_MS } from '../../support/clock.js';
import { keptRows } from './claimed-rows.js';

let bench: OutboxBench;

beforeAll(async () => {
  bench = await OutboxBench.open();
});
beforeEach(() => bench.begin());
afterEach(() => bench.end());
afterAll(() => bench.close());

describe('a claim', () => {
  it('does not contain what another relay has claimed, when an earlier message of the group is retried', async () => {
    await bench.addGroups('aaaaaa');
    await bench.database.exec(`UPDATE rocketmq_outbox SET state = 'parked' WHERE body = 'a1'`);
    const order: string[] = [];
    const second = bench.relayWith({ send: async ({ body }) => void order.push(`second ${body}`) });
    const send = async ({ body }: OutgoingMessage): Promise<void> => {
      order.push(`first ${body}`);
      if (body.toString() !== 'a3') return;
      await bench.outbox.retryParked(bench.database);
      await second.runOnce();
    };
    await bench.relayWith({ send }).runOnce();
    expect(order).toEqual(['first a2', 'first a3', 'second a1', 'first a4', 'first a5', 'first a6']);
  });

  it('ends before a message that waits for its next attempt', async () => {
    await bench.addGroups('aaaa');
    await bench.database.exec(`UPDATE rocketmq_outbox SET state = 'parked' WHERE body = 'a1' OR body = 'a2'`);
    await bench.relayWith({ send: bench.failing(['a3']) }).runOnce();
    await bench.outbox.retryParked(bench.database);
    await bench.relayWith().runOnce();
    expect([await bench.relayWith().runOnce(), bench.bodies()]).toEqual([0, ['a1', 'a2']]);
    bench.clock.advanceTo(bench.clock.nowMs() + SECOND_MS);
    await bench.relayWith().runOnce();
    expect(bench.bodies()).toEqual(['a1', 'a2', 'a3', 'a4']);
  });

  it('has at most 16 MiB of bodies', async () => {
    for (const messageGroup of ['a', 'a', undefined, undefined, undefined, 'a']) {
      await bench.add({ body: Buffer.alloc(4 * 1024 * 1024, 1), messageGroup });
    }
    const relay = bench.relayWith();
    expect([await relay.runOnce(), await relay.runOnce(), await relay.runOnce()]).toEqual([4, 2, 0]);
  });
});

describe('keptRows', () => {
  it('drops what follows a missed row of its group', () => {
    const row = (position: number, messageGroup: string | null) => ({ position, messageGroup });
    const claimed = [row(1, 'a'), row(2, 'b'), row(4, 'a'), row(5, null), row(7, 'b'), row(8, 'c')];
    const missed = [row(3, 'a'), row(6, 'a'), row(9, 'b'), row(0, null)];
    expect(keptRows(claimed, missed)).toEqual([
      [row(1, 'a'), row(2, 'b'), row(5, null), row(7, 'b'), row(8, 'c')],
      [4],
    ]);
  });
});
