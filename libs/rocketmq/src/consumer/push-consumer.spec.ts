import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RawClient, message as rawMessage } from '../../../../test/support/raw-grpc-client.js';
import { Connection } from '../client/connection.js';
import { Producer } from '../producer/producer.js';
import { Encoding } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import type { MessageView, OutgoingMessage } from '../protocol/message.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { TestBroker } from '../testing/test-broker.js';
import type { ConsumerEvents } from './consumer-events.js';
import type { HandlerContext, MessageHandler } from './handler-run.js';
import { DeadLetterError, RetryLaterError } from './outcome-errors.js';
import { PushConsumer } from './push-consumer.js';
import type { PushConsumerOptions } from './push-consumer-options.js';

const BACKOFF = { kind: 'customized', nextMs: [SECOND_MS, 5 * SECOND_MS] } as const;
const text = (message: MessageView): string => message.body.toString();

/** What happened, to be waited for. */
class Journal {
  readonly lines: string[] = [];
  private readonly waiters = new Set<() => void>();

  add(line: string): void {
    this.lines.push(line);
    for (const waiter of [...this.waiters]) waiter();
  }

  async has(count: number): Promise<string[]> {
    while (this.lines.length < count) {
      await new Promise<void>((resolve) => {
        const waiter = (): void => {
          this.waiters.delete(waiter);
          resolve();
        };
        this.waiters.add(waiter);
      });
    }
    return [...this.lines];
  }
}

/** A promise and what resolves it. */
function gate(): { opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('PushConsumer over the wire', () => {
  let broker: TestBroker;
  let connection: Connection;
  let producer: Producer;
  let journal: Journal;
  const consumers: PushConsumer[] = [];

  beforeEach(async () => {
    broker = await TestBroker.start({
      manualClock: true,
      strict: true,
      topics: [{ name: 'orders' }, { name: 'steps', type: 'fifo', queues: 2 }],
      groups: [
        { name: 'stock', maxDeliveryAttempts: 3, backoff: BACKOFF },
        { name: 'lines', fifo: true, maxDeliveryAttempts: 3, backoff: BACKOFF },
      ],
    });
    connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    producer = new Producer(connection, {});
    journal = new Journal();
    await producer.start();
  });

  afterEach(async () => {
    for (const consumer of consumers.splice(0)) await consumer.close({ graceMs: 0 });
    await producer.close();
    connection.close();
    await broker.stop();
  });

  async function consume(handler: MessageHandler, options: Partial<PushConsumerOptions> = {}): Promise<PushConsumer> {
    const base = { consumerGroup: 'stock', subscriptions: [{ topic: 'orders' }], handler };
    const consumer = new PushConsumer(connection, { ...base, ...options });
    consumers.push(consumer);
    await consumer.start();
    return consumer;
  }

  const FIFO = { consumerGroup: 'lines', subscriptions: [{ topic: 'steps' }], requireFifo: true } as const;

  const send = (...bodies: string[]): Promise<unknown> => inTurn(bodies.map((body) => ({ topic: 'orders', body })));

  /** `a1` goes to message group `a`. */
  const sendSteps = (...bodies: string[]): Promise<unknown> =>
    inTurn(bodies.map((body) => ({ topic: 'steps', body, messageGroup: body.slice(0, 1) })));

  async function inTurn(messages: OutgoingMessage[]): Promise<void> {
    for (const message of messages) await producer.send(message);
  }

  const journalled: MessageHandler = (message) => journal.add(`${text(message)} ${message.deliveryAttempt}`);

  const events: Partial<ConsumerEvents> = {
    onDeadLetter: (message, reason) => journal.add(`dead letter ${text(message)} ${reason}`),
    onLeaseLost: (message) => journal.add(`lost ${text(message)}`),
    onSettleFailed: (message, settlement) => journal.add(`unsettled ${text(message)} ${settlement.kind}`),
  };

  const deadLetters = (group: string): string[] => broker.messages(`%DLQ%${group}`).map(({ body }) => body.toString());

  it('acks what its handler has handled: it never comes again', async () => {
    await consume(journalled);
    await send('one', 'two');
    await journal.has(2);
    await broker.advance(10 * MINUTE_MS);
    expect(journal.lines.sort()).toEqual(['one 1', 'two 1']);
    expect([...broker.inFlight(), ...broker.waiting()]).toEqual([]);
  });

  it('has a failed message again after the backoff of the group, and makes it a dead letter after its last attempt', async () => {
    const failing: MessageHandler = (message) => {
      journalled(message, { signal: new AbortController().signal });
      throw new Error('no stock');
    };
    await consume(failing, { events });
    await send('one');
    await journal.has(1);
    await broker.advance(SECOND_MS - 1);
    expect(journal.lines).toEqual(['one 1']);
    await broker.advance(1);
    await journal.has(2);
    await broker.advance(5 * SECOND_MS);
    expect(await journal.has(4)).toEqual(['one 1', 'one 2', 'one 3', 'dead letter one attempts-exhausted']);
    await broker.advance(MINUTE_MS);
    expect(deadLetters('stock')).toEqual(['one']);
    expect(journal.lines).toHaveLength(4);
  });

  it('has a message again when its handler wants it, and none that its handler gave up', async () => {
    await consume(
      (message, context) => {
        journalled(message, context);
        if (text(message) === 'bad') throw new DeadLetterError('unreadable');
        if (message.deliveryAttempt === 1) throw new RetryLaterError({ delayMs: 3 * MINUTE_MS });
      },
      { events },
    );
    await send('bad');
    await journal.has(2);
    await send('later');
    await journal.has(3);
    await broker.advance(3 * MINUTE_MS);
    expect(await journal.has(4)).toEqual(['bad 1', 'dead letter bad handler-decided', 'later 1', 'later 2']);
    expect(deadLetters('stock')).toEqual(['bad']);
  });

  it('renews the lease for as long as a handler runs', async () => {
    const { opened, open } = gate();
    await consume(
      async (message, context) => {
        journalled(message, context);
        await opened;
        journal.add(`ended, told to stop: ${context.signal.aborted}`);
      },
      { leaseMs: 10 * SECOND_MS },
    );
    await send('slow');
    await journal.has(1);
    for (let steps = 0; steps < 12; steps++) {
      await broker.advance(5 * SECOND_MS, { duringWork: true });
      await renewed(5 * SECOND_MS);
    }
    open();
    await journal.has(2);
    await broker.advance(MINUTE_MS);
    expect(journal.lines).toEqual(['slow 1', 'ended, told to stop: false']);
  });

  /** Waits until every held message has a lease that is longer than this. */
  async function renewed(leftMs: number): Promise<void> {
    const ends = (): number[] => broker.waiting().flatMap((one) => ('dueAtMs' in one ? [one.dueAtMs] : []));
    while (ends().some((end) => end - broker.clock.nowMs() <= leftMs)) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('tells a handler that its lease is lost, and says that the message may come again', async () => {
    broker.faults.add({
      rpc: 'changeInvisibleDuration',
      action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE', message: 'expired' },
    });
    await consume(
      async (message, { signal }) => {
        journal.add(`begins ${text(message)}`);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        journal.add('told to stop');
      },
      { events },
    );
    await send('one');
    await journal.has(1);
    await broker.advance(15 * SECOND_MS, { duringWork: true });
    const lines = await journal.has(4);
    expect(lines.slice(0, 1)).toEqual(['begins one']);
    expect(lines.slice(1).sort()).toEqual(['lost one', 'told to stop', 'unsettled one ack']);
  });

  it('counts a handler that runs over its time as failed, and tells it', async () => {
    await consume(
      async (message, { signal }) => {
        journalled(message, { signal });
        if (message.deliveryAttempt > 1) return;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        journal.add((signal.reason as Error).name);
      },
      { handlerTimeoutMs: 1 },
    );
    await send('slow');
    await journal.has(2);
    await broker.advance(SECOND_MS);
    expect(await journal.has(3)).toEqual(['slow 1', 'HandlerTimeoutError', 'slow 2']);
  });

  it('makes a message whose body cannot be unpacked a dead letter, and handles the rest of its batch', async () => {
    const raw = new RawClient(broker.endpoints, 'raw');
    const packed = gzipSync('unpacked');
    for (const [id, body] of Object.entries({ good: packed, bad: packed.subarray(0, 9) })) {
      const made = rawMessage('orders', id, { bodyEncoding: Encoding.GZIP });
      await raw.call('sendMessage', { messages: [{ ...made, body }] });
    }
    raw.close();
    await consume(journalled, {
      events: { onDeadLetter: (message, reason) => journal.add(`dead letter ${message.messageId} ${reason}`) },
    });
    expect((await journal.has(2)).sort()).toEqual(['dead letter bad corrupt-body', 'unpacked 1']);
  });

  it('goes on by itself when the broker was away', async () => {
    await consume(journalled);
    await send('before');
    await journal.has(1);
    await broker.broker.stop();
    await broker.broker.start();
    await send('after');
    expect(await journal.has(2)).toEqual(['before 1', 'after 1']);
  });

  it('runs no more handlers side by side than it may', async () => {
    const { opened, open } = gate();
    let running = 0;
    let most = 0;
    await consume(
      async (message, context) => {
        most = Math.max(most, ++running);
        await opened;
        running--;
        journalled(message, context);
      },
      { concurrency: 2 },
    );
    await send('one', 'two', 'three', 'four', 'five');
    open();
    await journal.has(5);
    expect(most).toBe(2);
  });

  it('holds no more messages than it may', async () => {
    const { opened, open } = gate();
    await consume(
      async (message, context) => {
        await opened;
        journalled(message, context);
      },
      { concurrency: 1, maxBufferedMessages: 3 },
    );
    await send('1', '2', '3', '4', '5', '6', '7');
    expect(broker.inFlight().length).toBeLessThanOrEqual(3);
    open();
    await journal.has(7);
  });

  describe('at its end', () => {
    it('acks what still runs, and hands back what no handler has seen, without an attempt', async () => {
      const { opened, open } = gate();
      const first = await consume(
        async (message, context) => {
          journalled(message, context);
          await opened;
          journal.add(`ended, told to stop: ${context.signal.aborted}`);
        },
        { concurrency: 1 },
      );
      await send('one', 'two');
      await journal.has(1);
      while (broker.inFlight().length < 2) await new Promise((resolve) => setImmediate(resolve));
      const closed = first.close();
      const [taken] = await journal.has(1);
      const left = taken === 'one 1' ? 'two' : 'one';
      await consume((message) => journal.add(`second ${text(message)} ${message.deliveryAttempt}`));
      expect((await journal.has(2)).at(-1)).toBe(`second ${left} 1`);
      open();
      await closed;
      await broker.advance(MINUTE_MS);
      expect(journal.lines.at(-1)).toBe('ended, told to stop: false');
      expect(journal.lines).toHaveLength(3);
    });

    it('fires the signals of its handlers when the grace period is over, and acks one that then ends well', async () => {
      const consumer = await consume(async (message, { signal }) => {
        journalled(message, { signal });
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      });
      await send('one');
      await journal.has(1);
      await consumer.close({ graceMs: 0 });
      await consume(journalled);
      await broker.advance(MINUTE_MS);
      expect(journal.lines).toEqual(['one 1']);
    });

    it('does not wait for a handler that ignores its signal: its message comes again when its lease ends', async () => {
      const { opened, open } = gate();
      const consumer = await consume(async (message, context) => {
        journalled(message, context);
        await opened;
      });
      await send('one');
      await journal.has(1);
      await consumer.close({ graceMs: 0 });
      await consume(journalled);
      await broker.advance(MINUTE_MS, { duringWork: true });
      expect(await journal.has(2)).toEqual(['one 1', 'one 2']);
      open();
    });

    it('is the same for whoever asks for it, and no start follows it', async () => {
      const consumer = await consume(journalled);
      expect(consumer.close()).toBe(consumer.close());
      await consumer.close();
      await expect(consumer.start()).rejects.toMatchObject({ code: 'CLOSED' });
    });
  });

  describe('of an ordered group', () => {
    it('keeps a message group waiting behind its failed message while others go on', async () => {
      // All in one batch: a queue is locked until its batch is settled.
      await sendSteps('a1', 'a2', 'a3', 'b1', 'b2');
      await consume((message, context) => {
        journalled(message, context);
        if (text(message) === 'a2' && message.deliveryAttempt < 3) throw new Error('not yet');
      }, FIFO);
      const { lines } = journal;
      while (!(lines.includes('b2 1') && lines.includes('a2 1'))) await journal.has(lines.length + 1);
      expect(lines).not.toContain('a3 1');
      await broker.advance(SECOND_MS, { duringWork: true });
      await journal.has(5);
      await broker.advance(5 * SECOND_MS, { duringWork: true });
      await journal.has(7);
      const ofGroup = (group: string): string[] => lines.filter((line) => line.startsWith(group));
      expect(ofGroup('a')).toEqual(['a1 1', 'a2 1', 'a2 2', 'a2 3', 'a3 1']);
      expect(ofGroup('b')).toEqual(['b1 1', 'b2 1']);
    });

    it('goes on with the next message once a poisoned one is a dead letter', async () => {
      await consume(
        (message, context) => {
          journalled(message, context);
          if (text(message) === 'a1') throw new Error('poison');
        },
        { ...FIFO, events },
      );
      await sendSteps('a1', 'a2');
      await journal.has(1);
      await broker.advance(SECOND_MS, { duringWork: true });
      await journal.has(2);
      await broker.advance(5 * SECOND_MS, { duringWork: true });
      expect(await journal.has(5)).toEqual(['a1 1', 'a1 2', 'a1 3', 'dead letter a1 attempts-exhausted', 'a2 1']);
      expect(deadLetters('lines')).toEqual(['a1']);
    });

    it('keeps the lease of a message that waits for its next attempt', async () => {
      await consume((message, context) => {
        journalled(message, context);
        if (message.deliveryAttempt === 1) throw new RetryLaterError({ delayMs: 2 * MINUTE_MS });
      }, FIFO);
      await sendSteps('a1', 'a2');
      await journal.has(1);
      for (let steps = 0; steps < 8; steps++) {
        await broker.advance(15 * SECOND_MS, { duringWork: true });
        await renewed(15 * SECOND_MS);
      }
      expect(await journal.has(3)).toEqual(['a1 1', 'a1 2', 'a2 1']);
    });

    it('does not handle what follows a message whose lease is lost before that has come again', async () => {
      let refused = false;
      await consume(
        async (message, context) => {
          journalled(message, context);
          if (text(message) === 'a1' && !refused) {
            refused = true;
            await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
          }
        },
        { ...FIFO, leaseMs: 10 * SECOND_MS },
      );
      broker.faults.add({
        rpc: 'changeInvisibleDuration',
        action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE', message: 'expired' },
      });
      await sendSteps('a1', 'a2', 'a3');
      await journal.has(1);
      await broker.advance(5 * SECOND_MS, { duringWork: true });
      await broker.advance(30 * SECOND_MS, { duringWork: true });
      const lines = await journal.has(4);
      expect(lines.map((line) => line.slice(0, 2))).toEqual(['a1', 'a1', 'a2', 'a3']);
    });
  });

  describe('at its start', () => {
    it('names what the cluster lacks, and the command that creates it', async () => {
      const lacking = [
        [{ subscriptions: [{ topic: 'nothing' }] }, 'topic create nothing'],
        [{ consumerGroup: 'nobody' }, 'group create nobody'],
        [{ requireFifo: true }, 'group create stock --fifo'],
      ] as const;
      for (const [options, command] of lacking) {
        await expect(consume(journalled, options)).rejects.toThrow(command);
      }
    });

    it('is given up when its signal aborts', async () => {
      const consumer = new PushConsumer(new Connection({ endpoints: '127.0.0.1:1' }), {
        consumerGroup: 'stock',
        subscriptions: [{ topic: 'orders' }],
        handler: journalled,
      });
      const controller = new AbortController();
      const started = consumer.start({ signal: controller.signal });
      controller.abort(new Error('changed my mind'));
      await expect(started).rejects.toThrow('changed my mind');
      await consumer.close();
    });

    it('refuses options that make no sense before anything is sent', () => {
      const wrong: [Partial<PushConsumerOptions>, string][] = [
        [{ concurrency: 0 }, 'concurrency'],
        [{ leaseMs: 9_999 }, 'leaseMs must be 10000 to 43200000'],
        [{ subscriptions: [] }, 'subscribes to no topic'],
        [{ subscriptions: [{ topic: 'a' }, { topic: 'a' }] }, 'subscribed to twice'],
        [{ consumerGroup: 'a b' }, 'consumerGroup'],
      ];
      for (const [options, problem] of wrong) {
        const base = { consumerGroup: 'stock', subscriptions: [{ topic: 'orders' }], handler: journalled };
        expect(() => new PushConsumer(connection, { ...base, ...options })).toThrow(problem);
      }
    });
  });

  it('awaits the checkpoint after the handler and before the ack', async () => {
    await consume(journalled, {
      checkpoint: async (point, message: MessageView) => {
        journal.add(`${point} ${text(message)} held: ${broker.inFlight().length}`);
      },
    });
    await send('one');
    expect(await journal.has(2)).toEqual(['one 1', 'handled-before-ack one held: 1']);
  });

  it('gives the handler a signal that has not fired', async () => {
    const contexts: HandlerContext[] = [];
    await consume((message, context) => {
      contexts.push(context);
      journal.add(text(message));
    });
    await send('one');
    await journal.has(1);
    expect(contexts.map(({ signal }) => signal.aborted)).toEqual([false]);
  });
});
