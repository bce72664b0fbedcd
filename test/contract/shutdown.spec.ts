import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from '@jest/globals';
import type { MessageView } from 'nestjs-rocketmq/client';
import { blockThread } from '../fixtures/blocked-loop.js';
import { recordingLogger } from '../fixtures/nest-bench.js';
import { testTransport } from '../fixtures/transport.js';
import { backendName } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { type RecorderOptions, texts, type World } from './support/world.js';

const contract = contractSuite();
/** Longer than a test takes: a message that is left behind does not come back in time. */
const LONG_LEASE_MS = 6 * 60 * 60_000;
/**
 * Where what is on its way to a poll may be dropped when that poll is canceled, and comes back with the end of its lease: a real server
 * drops what it has popped and not written (docs/protocol-notes.md), a busy one also while messages wait, and only the default transport
 * takes what still arrives.
 */
const LEASE_MS = testTransport === 'http2' && backendName === 'embedded' ? LONG_LEASE_MS : 10_000;

/** What is handled, with nothing in between, until so many have come; what the consumers before it released is visible after a second. */
async function theRest(world: World, options: RecorderOptions, count: number): Promise<string[]> {
  const { deliveries } = await world.record(options);
  await world.until('all were handled', async () => {
    const isDone = deliveries.length >= count;
    if (!isDone) await world.backend.advanceDuringWork(1_000);
    return isDone;
  });
  await world.backend.quiet();
  return texts(deliveries);
}

describe('stopping', () => {
  contract('a graceful stop finishes what runs, releases the rest, and loses nothing', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group();
    const sent = Array.from({ length: 20 }, (_, index) => `message ${index}`);
    for (const body of sent) await producer.send({ topic, body });
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = await world.record({ topic, consumerGroup, concurrency: 2, handle: () => released });
    await world.until('two handlers run', () => first.deliveries.length === 2);
    const stopped = first.consumer.close({ shutdownGraceMs: 20_000 });
    release();
    await stopped;
    const second = await world.record({ topic, consumerGroup });
    const all = (): string[] => [...texts(first.deliveries), ...texts(second.deliveries)];
    for (let round = 0; round < 5 && all().length < sent.length; round++) await world.backend.advance(1_000);
    await world.until('all were handled', () => all().length >= sent.length);
    await world.backend.quiet();
    expect(first.deliveries).toHaveLength(2);
    expect(all().sort()).toEqual([...sent].sort());
  });

  contract('a stop in good order warns about nothing', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const logger = recordingLogger();
    const { consumer, deliveries } = await world.record({ topic }, world.connection({ logger }));
    for (let index = 0; index < 20; index++) await producer.send({ topic, body: `message ${index}` });
    await world.until('some were handled', () => deliveries.length >= 5);
    await consumer.close();
    expect(logger.lines.map(([line]) => line).filter((line) => /^(warn|error)/.test(line))).toEqual([]);
  });

  contract('deploys in the middle of a backlog leave no message invisible until its lease ends', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group();
    const sent = Array.from({ length: 1_200 }, (_, index) => `message ${index}`);
    for (let from = 0; from < sent.length; from += 100) {
      await Promise.all(sent.slice(from, from + 100).map((body) => producer.send({ topic, body })));
    }
    const handled: string[] = [];
    const options = { topic, consumerGroup, invisibleDurationMs: LEASE_MS, concurrency: 32 };
    for (let deploy = 1; deploy <= 6; deploy++) {
      let begun = 0;
      let atWork = (): void => {};
      const isAtWork = new Promise<void>((resolve) => {
        atWork = resolve;
      });
      const handle = (): Promise<void> => {
        if (++begun === 50) atWork();
        return sleep(1);
      };
      const { consumer, deliveries } = await world.record({ ...options, handle });
      await isAtWork;
      await consumer.close({ shutdownGraceMs: 20_000 });
      handled.push(...texts(deliveries));
      // What it released is visible again at once, or after a second.
      await world.backend.advance(1_000);
    }
    expect([...handled, ...(await theRest(world, options, sent.length - handled.length))].sort()).toEqual(
      [...sent].sort(),
    );
  });

  contract(
    'consumers that are closed soon after their start leave no message invisible until its lease ends',
    async (world) => {
      const topic = await world.topic();
      const producer = await world.producer();
      const consumerGroup = await world.group();
      const sent = Array.from({ length: 300 }, (_, index) => `message ${index}`);
      await Promise.all(sent.map((body) => producer.send({ topic, body })));
      const handled: string[] = [];
      const options = { topic, consumerGroup, invisibleDurationMs: LEASE_MS };
      for (const lifeMs of [0, 1, 2, 3, 5, 8, 13]) {
        const { consumer, deliveries } = await world.record(options);
        await sleep(lifeMs);
        await consumer.close({ shutdownGraceMs: 20_000 });
        handled.push(...texts(deliveries));
        // What it released is visible again at once, or after a second.
        await world.backend.advance(1_000);
      }
      expect([...handled, ...(await theRest(world, options, sent.length - handled.length))].sort()).toEqual(
        [...sent].sort(),
      );
    },
  );

  contract(
    'a process that is blocked while it closes leaves no message invisible until its lease ends',
    async (world) => {
      const topic = await world.topic();
      const producer = await world.producer();
      const consumerGroup = await world.group();
      const sent = Array.from({ length: 300 }, (_, index) => `message ${index}`);
      await Promise.all(sent.map((body) => producer.send({ topic, body })));
      const handled: string[] = [];
      const options = { topic, consumerGroup, invisibleDurationMs: LEASE_MS };
      for (const lifeMs of [1, 3, 5, 8]) {
        for (const isBlockedFirst of [true, false]) {
          const { consumer, deliveries } = await world.record(options);
          await sleep(lifeMs);
          if (isBlockedFirst) blockThread(400);
          const closed = consumer.close({ shutdownGraceMs: 20_000 });
          if (!isBlockedFirst) blockThread(400);
          await closed;
          handled.push(...texts(deliveries));
          // What it released is visible again at once, or after a second.
          await world.backend.advance(1_000);
        }
      }
      expect([...handled, ...(await theRest(world, options, sent.length - handled.length))].sort()).toEqual(
        [...sent].sort(),
      );
    },
  );

  contract(
    'a message that is sent while an idle consumer closes is handled once, by it or by the next one',
    async (world) => {
      const topic = await world.topic();
      const producer = await world.producer();
      const consumerGroup = await world.group();
      const handled: string[] = [];
      const sent: string[] = [];
      const options = { topic, consumerGroup, invisibleDurationMs: LEASE_MS };
      for (const sentBeforeMs of [0, 1, 2, 3, 4, 5, 6, 8]) {
        const { consumer, deliveries } = await world.record(options);
        const first = `first ${sentBeforeMs}`;
        await producer.send({ topic, body: first });
        // The next poll is idle.
        await world.until('the first message was handled', () => deliveries.length > 0);
        await sleep(400);
        const second = `second ${sentBeforeMs}`;
        const isSent = producer.send({ topic, body: second });
        await sleep(sentBeforeMs);
        await consumer.close({ shutdownGraceMs: 20_000 });
        await isSent;
        sent.push(first, second);
        handled.push(...texts(deliveries));
        // What it released is visible again at once, or after a second.
        await world.backend.advance(1_000);
      }
      expect([...handled, ...(await theRest(world, options, sent.length - handled.length))].sort()).toEqual(
        [...sent].sort(),
      );
    },
  );

  // At each deployment the first message is in progress, and the second one waits for it.
  for (const [when, polling] of [
    ['', {}],
    // Servers raise it to 5 s, also for polls that are canceled.
    [', and which polls for a second', { longPollingTimeoutMs: 1_000 }],
  ] as const) {
    contract(
      `no deploy of an ordered group makes a dead letter of a message that its handler did not finish${when}`,
      async (world) => {
        const topic = await world.topic('fifo');
        const consumerGroup = await world.group({ fifo: true });
        const producer = await world.producer();
        const sent = ['at work', 'waits'];
        for (const body of sent) await producer.send({ topic, body, messageGroup: 'a' });
        const deadLetters: string[] = [];
        const options = {
          topic,
          consumerGroup,
          invisibleDurationMs: 10_000,
          requireFifo: true,
          ...polling,
          maxAttempts: 2,
          backoff: { kind: 'customized', nextMs: [1_000] } as const,
          events: { onDeadLetter: ({ body }: MessageView) => void deadLetters.push(body.toString()) },
        };
        const never = (_: unknown, signal: AbortSignal): Promise<void> =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
          });
        for (let deploy = 0; deploy < 3; deploy++) {
          const { consumer, deliveries } = await world.record({ ...options, handle: never });
          await world.until('the first one is at work', async () => {
            if (deliveries.length === 0) await world.backend.advanceDuringWork(1_000);
            return deliveries.length > 0;
          });
          expect(texts(deliveries)).toEqual(['at work']);
          // Each deploy costs the one delivery that it interrupts: polls that it has canceled take nothing more on the server.
          expect(deliveries[0]?.attempt).toBeLessThanOrEqual(deploy + 1);
          await consumer.close({ shutdownGraceMs: 0 });
        }
        const last = await world.record({
          ...options,
          handle: ({ text }) => {
            if (text === 'at work' && texts(last.deliveries).length < 2)
              throw new Error('fails once, and is tried again');
          },
        });
        await world.until('both are handled', async () => {
          if (!texts(last.deliveries).includes('waits')) await world.backend.advanceDuringWork(1_000);
          return texts(last.deliveries).includes('waits');
        });
        expect(texts(last.deliveries)).toEqual(['at work', 'at work', 'waits']);
        expect(deadLetters).toEqual([]);
      },
    );
  }
});
