import { promisify } from 'node:util';
import { gzipSync, unzip } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench, gate, textOf } from '../../../../test/fixtures/consumer-bench.js';
import { until } from '../../../../tools/until.js';
import { RawClient, message as rawMessage } from '../../../../tools/wire/raw-grpc-client.js';
import { Connection } from '../client/connection.js';
import { Encoding } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { MessageView } from '../protocol/model/message.js';
import { withCheckpoints } from '../support/checkpoints.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import type { HandlerContext, MessageHandler } from './model/handler.js';
import { DeadLetterError, RetryLaterError } from './model/outcome-errors.js';
import { PushConsumer } from './push-consumer.js';
import type { PushConsumerOptions } from './push-consumer-options.js';

describe('a push consumer', () => {
  let bench: ConsumerBench;

  beforeEach(async () => {
    bench = await ConsumerBench.open();
  });
  afterEach(() => bench.close());

  it('acknowledges what its handler has handled: it is never redelivered', async () => {
    await bench.consume(bench.journalled);
    await bench.send('one', 'two');
    await bench.journal.has(2);
    await bench.broker.advance(10 * MINUTE_MS);
    expect(bench.journal.lines.sort()).toEqual(['one 1', 'two 1']);
    expect(bench.isAllSettled).toBe(true);
  });

  it('retries a failed message after the backoff of the group, and dead-letters it after its last attempt', async () => {
    const failing: MessageHandler = (message) => {
      void bench.journalled(message, { signal: new AbortController().signal });
      throw new Error('no stock');
    };
    await bench.consume(failing, { events: bench.events });
    await bench.send('one');
    await bench.journal.has(1);
    await bench.broker.advance(SECOND_MS - 1);
    expect(bench.journal.lines).toEqual(['one 1']);
    await bench.broker.advance(1);
    await bench.journal.has(2);
    await bench.broker.advance(5 * SECOND_MS);
    expect(await bench.journal.has(4)).toEqual(['one 1', 'one 2', 'one 3', 'dead letter one attempts-exhausted']);
    await bench.broker.advance(MINUTE_MS);
    expect(bench.deadLetters('stock')).toEqual(['one']);
    expect(bench.journal.lines).toHaveLength(4);
  });

  it('retries a message when its handler requests it, and none that its handler dead-lettered', async () => {
    await bench.consume(
      (message, context) => {
        void bench.journalled(message, context);
        if (textOf(message) === 'bad') throw new DeadLetterError('unreadable');
        if (message.deliveryAttempt === 1) throw new RetryLaterError({ delayMs: 3 * MINUTE_MS });
      },
      { events: bench.events },
    );
    await bench.send('bad');
    await bench.journal.has(2);
    await bench.send('later');
    await bench.journal.has(3);
    await bench.broker.advance(3 * MINUTE_MS);
    expect(await bench.journal.has(4)).toEqual(['bad 1', 'dead letter bad handler-decided', 'later 1', 'later 2']);
    expect(bench.deadLetters('stock')).toEqual(['bad']);
  });

  it('counts a handler that exceeds its timeout as failed, and fires its signal', async () => {
    await bench.consume(
      async (message, { signal }) => {
        void bench.journalled(message, { signal });
        if (message.deliveryAttempt > 1) return;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        bench.journal.add((signal.reason as Error).name);
      },
      { handlerTimeoutMs: 1 },
    );
    await bench.send('slow');
    await bench.journal.has(2);
    await bench.broker.advance(SECOND_MS);
    expect(await bench.journal.has(3)).toEqual(['slow 1', 'HandlerTimeoutError', 'slow 2']);
  });

  it('dead-letters a message whose body cannot be decompressed, and handles the rest of its batch', async () => {
    const raw = new RawClient(bench.broker.endpoints, 'raw');
    const packed = gzipSync('unpacked');
    for (const [id, body] of Object.entries({ good: packed, bad: packed.subarray(0, 9) })) {
      const made = rawMessage('orders', id, { bodyEncoding: Encoding.GZIP });
      await raw.call('sendMessage', { messages: [{ ...made, body }] });
    }
    raw.close();
    await bench.consume(bench.journalled, {
      events: { onDeadLetter: (message, reason) => bench.journal.add(`dead letter ${message.messageId} ${reason}`) },
    });
    expect((await bench.journal.has(2)).sort()).toEqual(['dead letter bad corrupt-body', 'unpacked 1']);
  });

  it('decompresses no body beyond the limit: such a message is dead-lettered as it was received', async () => {
    const raw = new RawClient(bench.broker.endpoints, 'raw');
    const bomb = gzipSync(Buffer.alloc(1_000_000));
    const made = rawMessage('orders', 'bomb', { bodyEncoding: Encoding.GZIP });
    await raw.call('sendMessage', { messages: [{ ...made, body: bomb }] });
    raw.close();
    await bench.consume(bench.journalled, {
      maxUnpackedBytes: 1_000,
      events: { onDeadLetter: (message, reason) => bench.journal.add(`${reason} ${message.body.equals(bomb)}`) },
    });
    expect(await bench.journal.has(1)).toEqual(['corrupt-body true']);
    await until(() => bench.isAllSettled);
    expect(bench.broker.messages('%DLQ%stock')).toHaveLength(1);
  });

  it('holds one more decompressed body than the limit at most, whatever a poll receives', async () => {
    const { opened, open } = gate();
    const handler = async (message: MessageView): Promise<void> => {
      bench.journal.add(`${message.messageId} ${message.body.length}`);
      await opened;
    };
    const raw = new RawClient(bench.broker.endpoints, 'raw');
    const body = gzipSync(Buffer.alloc(1_000_000));
    const sent = Array.from({ length: 12 }, (_, index) => `m${index}`);
    for (const name of sent) {
      const made = rawMessage('orders', name, { bodyEncoding: Encoding.GZIP });
      await raw.call('sendMessage', { messages: [{ ...made, body }] });
    }
    raw.close();
    const consumer = await bench.consume(handler, { maxBufferedBytes: 2_500_000 });
    await bench.journal.has(3);
    // Time enough for a fourth.
    for (let bodies = 0; bodies < 5; bodies++) await promisify(unzip)(body);
    expect(bench.journal.lines).toHaveLength(3);
    open();
    const lines = await bench.journal.has(sent.length);
    expect(new Set(lines)).toEqual(new Set(sent.map((name) => `${name} 1000000`)));
    await until(() => bench.isAllSettled);
    await until(() => consumer.health.unsettled === 0);
  });

  it('cancels a poll that receives more bytes than the limit; the rest is redelivered when its lease ends', async () => {
    const { opened, open } = gate();
    const handler = async (message: MessageView): Promise<void> => {
      bench.journal.add(`${message.messageId} ${message.deliveryAttempt}`);
      await opened;
    };
    const consumer = await bench.consume(handler, {
      maxBufferedBytes: 5_000_000,
      concurrency: 64,
      longPollingTimeoutMs: 5_000,
    });
    await bench.send('small');
    await bench.journal.has(1);
    consumer.pause();
    await until(() => consumer.health.topics.every(({ pollingSinceMs }) => pollingSinceMs === undefined));
    const large = Array.from({ length: 20 }, (_, index) => `large ${index}`);
    for (const messageId of large) {
      await bench.producer.send({ topic: 'orders', messageId, body: Buffer.alloc(1_000_000) });
    }
    consumer.resume();
    // The fifth large one exceeds the limit.
    await bench.journal.has(6);
    expect(consumer.health.unsettled).toBe(6);
    open();
    await until(() => bench.journal.lines.length >= 21 || consumer.health.unsettled === 0);
    while (bench.journal.lines.length < 21) await bench.broker.advance(5 * SECOND_MS, { duringWork: true });
    await until(() => bench.isAllSettled);
    const names = bench.journal.lines.map((line) => line.replace(/ \d+$/, ''));
    expect(new Set(names)).toEqual(new Set([...large, names[0]]));
    expect(names).toHaveLength(21);
  });

  it('does not poll while decompressed bodies fill its buffer', async () => {
    const { opened, open } = gate();
    let begun = 0;
    const handler = (): Promise<void> => {
      begun++;
      return opened;
    };
    await bench.consume(handler, { maxBufferedBytes: 900_000 });
    const raw = new RawClient(bench.broker.endpoints, 'raw');
    const body = gzipSync(Buffer.alloc(1_000_000));
    const send = async (name: string): Promise<void> => {
      const made = rawMessage('orders', name, { bodyEncoding: Encoding.GZIP });
      await raw.call('sendMessage', { messages: [{ ...made, body }] });
    };
    await send('first');
    await until(() => begun === 1);
    // The poll that began before the first body was decompressed may receive some of these; none is handled beside the first.
    // More than a poll may receive; not many more, because they are decompressed one by one, which takes long on a starved machine.
    for (let count = 0; count < 36; count++) await send(`other ${count}`);
    expect(bench.broker.inFlight().length).toBeLessThan(37);
    expect(begun).toBe(1);
    open();
    await until(() => bench.isAllSettled);
    raw.close();
  });

  it('recovers when the broker was unreachable', async () => {
    await bench.consume(bench.journalled);
    await bench.send('before');
    await bench.journal.has(1);
    await bench.broker.broker.stop();
    await bench.broker.broker.start();
    await bench.send('after');
    expect(await bench.journal.has(2)).toEqual(['before 1', 'after 1']);
  });

  it('runs no more handlers at once than its concurrency', async () => {
    const { opened, open } = gate();
    let running = 0;
    let most = 0;
    await bench.consume(
      async (message, context) => {
        most = Math.max(most, ++running);
        await opened;
        running--;
        void bench.journalled(message, context);
      },
      { concurrency: 2 },
    );
    await bench.send('one', 'two', 'three', 'four', 'five');
    open();
    await bench.journal.has(5);
    expect(most).toBe(2);
  });

  it('holds no more messages than its limit', async () => {
    const { opened, open } = gate();
    await bench.consume(
      async (message, context) => {
        await opened;
        void bench.journalled(message, context);
      },
      { concurrency: 1, maxBufferedMessages: 3 },
    );
    await bench.send('1', '2', '3', '4', '5', '6', '7');
    expect(bench.broker.inFlight().length).toBeLessThanOrEqual(3);
    open();
    await bench.journal.has(7);
  });

  describe('at startup', () => {
    it('names what is missing on the cluster, and the command that creates it', async () => {
      const lacking = [
        [{ subscriptions: [{ topic: 'nothing' }] }, 'topic create nothing'],
        [{ consumerGroup: 'nobody' }, 'group create nobody'],
        [{ requireFifo: true }, 'group create stock --fifo'],
      ] as const;
      for (const [options, command] of lacking) {
        await expect(bench.consume(bench.journalled, options)).rejects.toThrow(command);
      }
    });

    it('says what to do when it is repeated after it has failed', async () => {
      const subscriptions = [{ topic: 'orders' }];
      const consumer = new PushConsumer(bench.connection, { consumerGroup: 'nobody', subscriptions, handler() {} });
      await expect(consumer.start()).rejects.toMatchObject({ code: 'CONSUMER_GROUP_NOT_FOUND' });
      const calls = [() => consumer.start(), () => consumer.subscribe({ topic: 'orders' })];
      for (const call of calls) {
        const again = call();
        await expect(again).rejects.toMatchObject({ code: 'CLOSED', retryable: false });
        await expect(again).rejects.toThrow(/did not start \(\[CONSUMER_GROUP_NOT_FOUND\].*create a new one/s);
      }
      await consumer.close();
      await expect(consumer.start()).rejects.toThrow('the consumer is closed');
    });

    it('is canceled when its signal aborts', async () => {
      const consumer = new PushConsumer(new Connection({ endpoints: '127.0.0.1:1' }), {
        consumerGroup: 'stock',
        subscriptions: [{ topic: 'orders' }],
        handler: bench.journalled,
      });
      const controller = new AbortController();
      const started = consumer.start({ signal: controller.signal });
      controller.abort(new Error('changed my mind'));
      await expect(started).rejects.toThrow('changed my mind');
      await consumer.close();
    });

    it('rejects invalid options before anything is sent', () => {
      const wrong: [Partial<PushConsumerOptions>, string][] = [
        [{ concurrency: 0 }, 'concurrency'],
        [{ invisibleDurationMs: 9_999 }, 'invisibleDurationMs must be 10000 to 43200000'],
        [{ subscriptions: [] }, 'subscribes to no topic'],
        [{ subscriptions: [{ topic: 'a' }, { topic: 'a' }] }, 'subscribed to twice'],
        [{ consumerGroup: 'a b' }, 'consumerGroup'],
      ];
      for (const [options, problem] of wrong) {
        const base = { consumerGroup: 'stock', subscriptions: [{ topic: 'orders' }], handler: bench.journalled };
        expect(() => new PushConsumer(bench.connection, { ...base, ...options })).toThrow(problem);
      }
    });
  });

  it('awaits the checkpoint after the handler and before the ack', async () => {
    const stopping = withCheckpoints({}, (point, { topic }) => {
      bench.journal.add(`${point} ${topic} held: ${bench.broker.inFlight().length}`);
    });
    await bench.consume(bench.journalled, {}, bench.connectionTo(bench.broker.endpoints, stopping));
    await bench.send('one');
    expect(await bench.journal.has(2)).toEqual(['one 1', 'handled-before-ack orders held: 1']);
  });

  it('gives the handler a signal that has not fired', async () => {
    const contexts: HandlerContext[] = [];
    await bench.consume((message, context) => {
      contexts.push(context);
      bench.journal.add(textOf(message));
    });
    await bench.send('one');
    await bench.journal.has(1);
    expect(contexts.map(({ signal }) => signal.aborted)).toEqual([false]);
  });
});
