// A group that the servers pause, and what else keeps its consumer from polling: it must find out when the group is resumed.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, FIFO } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import { RocketMQAdmin } from '../entries/admin.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import type { PushConsumer } from './push-consumer.js';

const PAUSE = { reason: 'the bank is away', by: 'ada' };
const isGroupPaused = ({ health }: PushConsumer) => health.groupPause !== undefined;

describe('a push consumer whose group is paused and resumed', () => {
  let bench: ConsumerBench;
  let admin: RocketMQAdmin;

  beforeEach(async () => {
    bench = await ConsumerBench.open({ nameServerPort: 0 });
    admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint });
  });
  afterEach(async () => {
    await admin.close();
    await bench.close();
  });

  it('continues with a message that waits for its next attempt, at a rate limit that allows no other', async () => {
    const consumer = await bench.consume(
      (message, context) => {
        void bench.journalled(message, context);
        if (message.deliveryAttempt === 1) throw new Error('not yet');
      },
      { ...FIFO, rateLimit: { max: 1, perMs: SECOND_MS / 2 } },
    );
    await bench.producer.send({ topic: 'steps', body: 'one', messageGroup: 'g' });
    await bench.journal.has(1);
    await admin.pauseGroup('lines', PAUSE);
    // Ends a poll that waits.
    await bench.producer.send({ topic: 'steps', body: 'two', messageGroup: 'h' });
    await until(() => isGroupPaused(consumer));
    await bench.broker.advance(MINUTE_MS);
    await admin.resumeGroup('lines');
    expect(['one 2', 'two 1']).toContain((await bench.journal.has(2))[1]);
  });

  it('continues with one topic while another is paused in this process', async () => {
    const consumer = await bench.consume(bench.journalled, {
      subscriptions: [{ topic: 'orders' }, { topic: 'returns' }],
    });
    await admin.pauseGroup('stock', PAUSE);
    await bench.send('one');
    await bench.sendTo('returns', 'two');
    await until(() => isGroupPaused(consumer));
    await bench.broker.advance(MINUTE_MS);
    consumer.pause('returns');
    await admin.resumeGroup('stock');
    expect(await bench.journal.has(1)).toEqual(['one 1']);
    consumer.resume('returns');
    expect(await bench.journal.has(2)).toEqual(['one 1', 'two 1']);
    expect(isGroupPaused(consumer)).toBe(false);
  });
});
