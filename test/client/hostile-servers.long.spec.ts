// Broken and hostile servers: the client enforces its own limits.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, Producer, PushConsumer, type PushConsumerOptions } from 'nestjs-rocketmq/client';
import { toDuration } from '../../libs/rocketmq/src/protocol/grpc/duration.js';
import type { RetryPolicy } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { Arrivals } from '../fixtures/arrivals.js';
import { queueOf, RecordingServer, recordedMessage } from '../fixtures/recording-server.js';
import { transport } from '../fixtures/transport.js';

describe('a server that is broken or hostile', () => {
  let server: RecordingServer;
  let connection: Connection;
  const consumers: PushConsumer[] = [];

  beforeEach(async () => {
    server = new RecordingServer();
    await server.start();
    connection = new Connection({ endpoints: server.endpoints, transport });
  });
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.close({ shutdownGraceMs: 0 })));
    connection.close();
    server.stop();
  });

  async function consume(options: Partial<PushConsumerOptions>): Promise<PushConsumer> {
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'orders' }],
      handler: () => {},
      ...options,
    });
    consumers.push(consumer);
    await consumer.start();
    return consumer;
  }

  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  /** The number of polls per second, once the client knows that the server returns early. */
  async function pollsInASecond(): Promise<number> {
    await pause(2_000);
    const before = server.of('receiveMessage').length;
    const beganAtMs = performance.now();
    await pause(1_000);
    const polls = server.of('receiveMessage').length - before;
    // A busy process wakes late.
    return (polls * 1_000) / (performance.now() - beganAtMs);
  }

  it.each([
    ['that there is nothing', 'no new message', 10],
    ['that nothing passed the filter', 'no match message', 110],
  ])('is polled ever more slowly when it says at once %s', async (_, text, most) => {
    server.hastyAnswer = { text };
    await consume({});
    const polls = await pollsInASecond();
    expect(polls).toBeGreaterThan(0);
    expect(polls).toBeLessThan(most);
  });

  it('is polled again at once after an empty answer', async () => {
    const arrivals = new Arrivals();
    await consume({ handler: ({ messageId }) => arrivals.add(messageId) });
    for (let poll = 0; poll < 5; poll++) server.deliver();
    server.deliver(recordedMessage('orders', 'one'));
    await arrivals.of('one');
  });

  /** Sends consumers this retry policy of their group. */
  function answerPolicy(policy: RetryPolicy, fifo = true): void {
    server.adjustSettings = (command) => {
      if (command.command?.$case !== 'settings') return command;
      const { pubSub } = command.command.value;
      const subscription =
        pubSub?.$case === 'subscription' ? { ...pubSub.value, fifo, receiveBatchSize: -7 } : undefined;
      const value = {
        ...command.command.value,
        backoffPolicy: policy,
        ...(subscription && { pubSub: { $case: 'subscription', value: subscription } as const }),
      };
      return { ...command, command: { $case: 'settings', value } };
    };
  }

  it.each<[string, RetryPolicy]>([
    [
      'less than nothing',
      { maxAttempts: 3, strategy: { $case: 'customizedBackoff', value: { next: [toDuration(-1_000)] } } },
    ],
    [
      'nothing',
      {
        maxAttempts: 2 ** 31 - 1,
        strategy: {
          $case: 'exponentialBackoff',
          value: { initial: toDuration(0), max: toDuration(0), multiplier: Number.NaN },
        },
      },
    ],
    [
      'a nanosecond',
      {
        maxAttempts: 1_000_000,
        strategy: { $case: 'customizedBackoff', value: { next: [{ seconds: 0n, nanos: 1 }] } },
      },
    ],
  ])('does not run a failing handler without pause by a backoff of %s', async (_, policy) => {
    answerPolicy(policy);
    let runs = 0;
    const arrivals = new Arrivals();
    await consume({
      handler: () => {
        runs++;
        arrivals.add('run');
        throw new Error('always');
      },
    });
    server.deliver(recordedMessage('orders', 'one'));
    await arrivals.of('run');
    await pause(1_000);
    expect(runs).toBeLessThan(110);
  });

  it('cannot make the client connect to thousands of servers', async () => {
    server.queues = (topic) =>
      Array.from({ length: 5_000 }, (_, index) => queueOf(topic, `broker-${index}`, 1_024 + index));
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    await expect(producer.start()).rejects.toMatchObject({
      outcome: 'not-sent',
      message: expect.stringContaining('5000 servers'),
    });
    expect(server.of('telemetry')).toEqual([]);
    await producer.close();
  });

  it('is distinguished from one that has the topic when it names no queue of it', async () => {
    server.queues = () => [];
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    await expect(producer.start({ timeoutMs: 500 })).rejects.toMatchObject({
      outcome: 'not-sent',
      message: expect.stringContaining('no queue'),
    });
    await producer.close();
    await expect(consume({})).rejects.toMatchObject({ message: expect.stringContaining('no queue') });
  });

  it('cannot make a consumer hold more than its buffer by sending more than requested', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const consumer = await consume({ handler: () => released, maxBufferedBytes: 4_000_000 });
    server.deliver(
      ...Array.from({ length: 100 }, (_, index) =>
        recordedMessage('orders', `m${index}`, { body: Buffer.alloc(1_000_000) }),
      ),
    );
    while (consumer.health.unsettled === 0) await pause(10);
    await pause(200);
    // 4 MB, and one message.
    expect(consumer.health.unsettled).toBe(5);
    release();
  });
});
