// One process of a measurement of growth: many consumers that rest, many message groups, a backlog on several brokers.

import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { usageOf } from '../lib/process-usage.mjs';
import { Meter, report, taskOfProcess } from './measuring.mjs';

/**
 * @typedef {object} GrowthTask
 * @property {'groups' | 'topics' | 'message-groups' | 'fill' | 'share'} workload
 * @property {string} endpoints
 * @property {readonly number[]} pids of the server
 * @property {number} point how many there are of what grows
 * @property {string} topic
 * @property {string} group
 * @property {number} count messages
 * @property {number} seconds
 */

/** Long enough for assignments, heartbeats and settings to have been exchanged. */
const SETTLE_MS = 5_000;
const MESSAGES_EACH = 10;
const BODY = Buffer.alloc(1024, 'x');
const IN_FLIGHT = 64;
const WORK_MS = 5;
const AT_ONCE = 256;
const WARM_UP_PART = 4;
const TIMEOUT_MS = 120_000;

const task = /** @type {GrowthTask} */ (/** @type {unknown} */ (taskOfProcess()));
const WORKLOADS = { groups: resting, topics: resting, 'message-groups': ordered, fill, share };
report(await WORKLOADS[task.workload]());
process.exit(0);

/** Consumers of many groups, or one of many topics: what their start, their rest and a few messages cost. */
async function resting() {
  const { endpoints, point, pids, seconds, workload } = task;
  const connection = new Connection({ endpoints });
  const topics = Array.from({ length: point }, (_, index) => `growth-${index}`);
  const producer = await producerOf(connection, topics, 'normal');
  // Topics exist, and what is loaded once is loaded.
  await inTurn(topics, (topic) => producer.send({ topic, body: BODY }));
  let handled = 0;
  const handler = () => void handled++;
  const subscriptions = topics.map((topic) => ({ topic }));
  const consumers =
    workload === 'topics'
      ? [new PushConsumer(connection, { consumerGroup: 'growth', subscriptions, handler, maxBufferedMessages: 4_096 })]
      : topics.map(
          (topic) => new PushConsumer(connection, { consumerGroup: topic, subscriptions: [{ topic }], handler }),
        );
  const heapBefore = heap();
  const began = performance.now();
  await inTurn(consumers, (consumer) => consumer.start());
  const startMs = (performance.now() - began) / point;
  await until(() => handled === point, 'the first messages');
  await sleep(SETTLE_MS);
  const heapKiB = (heap() - heapBefore) / point / 1024;
  const before = usageOf(pids).cpuMicros;
  const rest = new Meter();
  await sleep(seconds * 1_000);
  const idleMicros = rest.figures(point * seconds).cpuMicros;
  const serverIdleMicros = (usageOf(pids).cpuMicros - before) / point / seconds;
  const meter = new Meter();
  const count = point * MESSAGES_EACH;
  await inTurn(Array.from({ length: count }), (_, index) =>
    producer.send({ topic: topics[index % point] ?? '', body: BODY }),
  );
  await until(() => handled === point + count, 'the last messages');
  return { startMs, heapKiB, idleMicros, serverIdleMicros, cpuMicros: meter.figures(count).cpuMicros };
}

/** Ordered messages of many groups. */
async function ordered() {
  const { endpoints, point, pids, topic, group, count } = task;
  const connection = new Connection({ endpoints });
  const producer = await producerOf(connection, [topic], 'fifo');
  const warmUp = Math.floor(count / WARM_UP_PART);
  await inTurn(Array.from({ length: warmUp + count }), (_, index) =>
    producer.send({ topic, body: BODY, messageGroup: `g${index % point}` }),
  );
  let handled = 0;
  let meter = new Meter();
  let before = 0;
  const handler = () => {
    handled++;
    if (handled !== warmUp) return;
    meter = new Meter();
    before = usageOf(pids).cpuMicros;
  };
  const consumer = new PushConsumer(connection, {
    consumerGroup: group,
    subscriptions: [{ topic }],
    requireFifo: true,
    handler,
  });
  await consumer.start();
  await until(() => handled >= warmUp + count, 'all messages');
  return { ...meter.figures(count), serverMicros: (usageOf(pids).cpuMicros - before) / count };
}

/** A backlog that every broker of the cluster has its part of. */
async function fill() {
  const { endpoints, topic, count } = task;
  const producer = await producerOf(new Connection({ endpoints }), [topic], 'normal', true);
  const meter = new Meter();
  await inTurn(Array.from({ length: count }), () => producer.send({ topic, body: BODY }), 16 * IN_FLIGHT);
  return meter.figures(count);
}

/** The share that one process takes of a backlog while others take theirs. */
async function share() {
  const { endpoints, topic, group, seconds } = task;
  let handled = 0;
  const consumer = new PushConsumer(new Connection({ endpoints }), {
    consumerGroup: group,
    subscriptions: [{ topic }],
    concurrency: AT_ONCE,
    handler: async () => {
      await sleep(WORK_MS);
      handled++;
    },
  });
  await consumer.start();
  await until(() => handled > 0, 'the first message');
  await sleep(SETTLE_MS);
  const before = handled;
  const meter = new Meter();
  await sleep(seconds * 1_000);
  return { ...meter.figures(handled - before), handled };
}

/** @param {Connection} connection @param {readonly string[]} topics @param {'normal' | 'fifo'} type @param {boolean} [isBatching] */
async function producerOf(connection, topics, type, isBatching = false) {
  const options = isBatching ? { batching: /** @type {const} */ ('auto'), serverVersion: '5.5.0' } : {};
  const producer = new Producer(connection, {
    topics: Object.fromEntries(topics.map((topic) => [topic, type])),
    ...options,
  });
  await producer.start();
  return producer;
}

/**
 * @template T
 * @param {readonly T[]} all @param {(one: T, index: number) => Promise<unknown>} work @param {number} [inFlight]
 */
async function inTurn(all, work, inFlight = IN_FLIGHT) {
  let next = 0;
  const worker = async () => {
    while (next < all.length) {
      const index = next++;
      await work(/** @type {T} */ (all[index]), index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, all.length) }, worker));
}

/** @param {() => boolean} holds @param {string} what */
async function until(holds, what) {
  const endMs = performance.now() + TIMEOUT_MS;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`${what} did not come within ${TIMEOUT_MS / 1_000} s`);
    await sleep(10);
  }
}

function heap() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
