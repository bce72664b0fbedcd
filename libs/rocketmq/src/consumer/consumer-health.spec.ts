// What a consumer and a producer report about their servers and their health.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, gate } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import type { SessionEvents } from '../client/session-events.js';
import { Producer } from '../producer/producer.js';
import { SECOND_MS } from '../support/clock.js';

describe('a push consumer', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  /** Records events, as `connected stock`. */
  function watcher(): Partial<SessionEvents> {
    const note =
      (what: string) =>
      ({ role, consumerGroup }: { role: string; consumerGroup: string | undefined }): void =>
        bench.journal.add(`${what} ${consumerGroup ?? role}`);
    return { onConnected: note('connected'), onLost: note('lost'), onRecovered: note('recovered') };
  }

  it('reports that its server is connected, lost and recovered, each once, and so does a producer', async () => {
    const producer = new Producer(bench.connection, { events: watcher() });
    await producer.start();
    await bench.consume(() => {}, { events: watcher() });
    expect(await bench.journal.has(2)).toEqual(['connected producer', 'connected stock']);
    await bench.broker.stop();
    expect([...(await bench.journal.has(4))].slice(2).sort()).toEqual(['lost producer', 'lost stock']);
    const [session] = producer.sessions;
    expect(session).toMatchObject({ status: 'away', error: expect.stringContaining('UNAVAILABLE') });
    await bench.broker.broker.start();
    expect([...(await bench.journal.has(6))].slice(4).sort()).toEqual(['recovered producer', 'recovered stock']);
    expect(producer.sessions.map(({ status, error }) => [status, error])).toEqual([['ready', undefined]]);
    await producer.close();
    expect(bench.journal.lines).toHaveLength(6);
  });

  it('is not affected by a hook that throws', async () => {
    const onConnected = (): void => {
      bench.journal.add('asked');
      throw new Error('the watcher fails');
    };
    await bench.consume(() => bench.journal.add('handled'), { events: { onConnected } });
    await bench.send('one');
    expect(await bench.journal.has(2)).toEqual(['asked', 'handled']);
  });

  it('reports what it receives from, when it last did, and what it holds for how long', async () => {
    const { opened, open } = gate();
    const consumer = await bench.consume(async () => {
      bench.journal.add('begun');
      await opened;
    });
    await bench.send('one', 'two');
    await bench.journal.has(2);
    await bench.broker.advance(2 * SECOND_MS, { duringWork: true });
    const { topics, sessions, unsettled, settleLagMs, longestHandlerMs } = consumer.health;
    expect(sessions.map(({ status }) => status)).toEqual(['ready']);
    const times = { lastReceiveAtMs: expect.any(Number), pollingSinceMs: expect.any(Number) };
    expect(topics).toEqual([{ topic: 'orders', assigned: 1, isPaused: false, ...times, error: undefined }]);
    expect([unsettled, settleLagMs, longestHandlerMs]).toEqual([2, 2 * SECOND_MS, 2 * SECOND_MS]);
    consumer.pause();
    open();
    await bench.broker.idle();
    expect(consumer.health).toMatchObject({
      unsettled: 0,
      settleLagMs: 0,
      longestHandlerMs: 0,
      topics: [{ isPaused: true }],
    });
    await consumer.close();
    expect(consumer.health.sessions.map(({ status }) => status)).toEqual(['closed']);
  });

  it('reports why it cannot receive', async () => {
    const consumer = await bench.consume(() => {});
    bench.broker.faults.add({ rpc: 'receiveMessage', action: { kind: 'answer', code: 'FORBIDDEN' }, times: 100 });
    await bench.broker.stop();
    await bench.broker.broker.start();
    const why = (): string | undefined => consumer.health.topics[0]?.error;
    await until(() => why()?.includes('FORBIDDEN') === true);
    bench.broker.faults.clear();
    // A poll that waits for messages proves nothing; one is answered.
    await bench.send('one');
    await until(() => why() === undefined);
  });
});
