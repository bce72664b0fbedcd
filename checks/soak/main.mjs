// npm run soak [-- --long] [-- --transport remoting]
// Wears the client out: a broker that is killed and started again under load, clients made and closed, messages sent and
// consumed. Ten rounds alike; the heap after the last must be what it was after the first, and nothing may be left open.
// Fails with exit code 1 and says what did not hold. With `--transport remoting` the broker is a real one, reached without a proxy.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { within } from '../../tools/process/within.mjs';
import { RealSoakBroker, SoakBroker } from './soak-broker.mjs';

const ROUNDS = 10;
const SHORT = { restarts: 10, cycles: 500, messages: 10_000 };
const LONG = { restarts: 20, cycles: 10_000, messages: 100_000 };
/** How much the heap after the last round may be above that after the first. */
const MOST_GROWTH_BYTES = 5 * 1024 * 1024;
const TOPIC = 'soak';
const GROUP = 'soakers';
const CONCURRENCY = 32;
/** No step may take longer; what hangs is a failure and not a long run. */
const PATIENCE_MS = 60_000;

/** By what carries the calls. @type {Record<string, typeof SoakBroker | typeof RealSoakBroker>} */
const BROKERS = { http2: SoakBroker, remoting: RealSoakBroker };

/** Every body that was consumed, by the round's own count: nothing of it is kept, or it would be taken for a leak. */
class Consumed {
  #waiting = /** @type {Map<string, () => void>} */ (new Map());

  /** @param {string} body */
  add(body) {
    this.#waiting.get(body)?.();
    this.#waiting.delete(body);
  }

  /** Resolves when a message of this body has been consumed. @param {string} body */
  of(body) {
    return new Promise((resolve) => this.#waiting.set(body, () => resolve(undefined)));
  }
}

async function main() {
  const { values } = parseArgs({
    options: { long: { type: 'boolean', default: false }, transport: { type: 'string', default: 'http2' } },
  });
  const Broker = BROKERS[values.transport];
  if (Broker === undefined) throw new Error(`--transport is one of ${Object.keys(BROKERS).join(', ')}`);
  const plan = values.long ? LONG : SHORT;
  if (globalThis.gc === undefined) throw new Error('run it by "npm run soak": it needs node --expose-gc');
  // A pipe that this process writes to counts from its first use on.
  print(`${values.long ? 'long' : 'short'}, by ${values.transport}`);
  process.stderr.write('');
  await sleep(100);
  const resourcesBefore = process.getActiveResourcesInfo().sort();
  const broker = new Broker({ topic: TOPIC, group: GROUP });
  await broker.start();
  const heaps = [];
  const failures = [];
  const began = performance.now();
  const connection = new Connection({ endpoints: broker.endpoints });
  const producer = new Producer(connection, { topics: { [TOPIC]: 'normal' } });
  const consumed = new Consumed();
  const consumer = consumerOf(connection, GROUP, (body) => consumed.add(body));
  try {
    await Promise.all([producer.start(), consumer.start()]);
    // The first round fills caches and compiles code: it is not measured.
    for (let round = 0; round <= ROUNDS; round++) {
      for (let done = 0; done < plan.restarts / ROUNDS; done++) {
        await within(
          restartUnderLoad(broker, producer, consumed, `${round}.${done}`),
          PATIENCE_MS,
          'a restart under load',
        );
      }
      await createAndClose(broker.endpoints, plan.cycles / ROUNDS);
      await within(pass(producer, consumed, plan.messages / ROUNDS, `${round}`), PATIENCE_MS, 'sending and consuming');
      const heap = await heapBytes();
      if (round > 0) heaps.push(heap);
      print(`round ${round} of ${ROUNDS}: heap ${megabytes(heap)} MB after ${seconds(performance.now() - began)} s`);
    }
  } catch (error) {
    failures.push(error);
  } finally {
    await consumer.close({ shutdownGraceMs: 5_000 });
    await producer.close();
    connection.close();
    await broker.stop();
  }
  failures.push(...judge(heaps, resourcesBefore, await resourcesLeft(resourcesBefore)));
  for (const failure of failures) process.stderr.write(`${failure instanceof Error ? failure.stack : failure}\n`);
  print(
    `${plan.restarts} restarts, ${plan.cycles} clients, ${plan.messages} messages and a round of warm-up in ${seconds(performance.now() - began)} s: ${failures.length === 0 ? 'sound' : 'NOT SOUND'}`,
  );
  process.exitCode = failures.length === 0 ? 0 : 1;
}

/** @param {number[]} heaps @param {string[]} before @param {string[]} after */
function judge(heaps, before, after) {
  const failures = [];
  const growth = (heaps.at(-1) ?? 0) - (heaps[0] ?? 0);
  if (heaps.length > 0 && growth > MOST_GROWTH_BYTES)
    failures.push(`the heap grew by ${megabytes(growth)} MB over ${heaps.length} rounds`);
  if (after.length > before.length) failures.push(`left open: ${after.join(', ')}; before: ${before.join(', ')}`);
  return failures;
}

/**
 * Kills the broker while sends are under way, starts it again, and waits until producer and consumer are back.
 * @param {SoakBroker | RealSoakBroker} broker @param {Producer} producer @param {Consumed} consumed @param {string} name
 */
async function restartUnderLoad(broker, producer, consumed, name) {
  let isOver = false;
  const load = Array.from({ length: CONCURRENCY }, async () => {
    // Sends of the time without a broker may fail; that they end at all is what counts here.
    while (!isOver) await producer.send({ topic: TOPIC, body: 'load' }, { timeoutMs: 5_000 }).catch(() => {});
  });
  await sleep(50);
  await broker.kill();
  await broker.start();
  const body = `after restart ${name}`;
  const arrival = consumed.of(body);
  await producer.send({ topic: TOPIC, body }, { timeoutMs: 30_000 });
  await arrival;
  isOver = true;
  await Promise.all(load);
}

/** Clients of their own, one connection each: started and closed. @param {string} endpoints @param {number} count */
async function createAndClose(endpoints, count) {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await within(oneCycle(endpoints), PATIENCE_MS, 'start and close of clients');
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

/** @param {string} endpoints */
async function oneCycle(endpoints) {
  const connection = new Connection({ endpoints });
  const producer = new Producer(connection, { topics: { [TOPIC]: 'normal' } });
  const consumer = consumerOf(connection, 'passers-by', () => {});
  await Promise.all([producer.start(), consumer.start()]);
  await consumer.close({ shutdownGraceMs: 1_000 });
  await producer.close();
  connection.close();
}

/**
 * Sends messages and waits until the last of each sender has been consumed.
 * @param {Producer} producer @param {Consumed} consumed @param {number} count @param {string} name
 */
async function pass(producer, consumed, count, name) {
  let left = count;
  const worker = async (/** @type {unknown} */ _, /** @type {number} */ index) => {
    while (left-- > CONCURRENCY) await producer.send({ topic: TOPIC, body: 'passing' });
    const body = `last of ${name}.${index}`;
    const arrival = consumed.of(body);
    await producer.send({ topic: TOPIC, body });
    await arrival;
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

/** @param {Connection} connection @param {string} consumerGroup @param {(body: string) => void} onBody */
function consumerOf(connection, consumerGroup, onBody) {
  return new PushConsumer(connection, {
    consumerGroup,
    subscriptions: [{ topic: TOPIC }],
    concurrency: CONCURRENCY,
    handler: ({ body }) => onBody(body.toString()),
  });
}

/** What is used once everything unreachable is gone: objects with finalizers need more than one collection. */
async function heapBytes() {
  for (let time = 0; time < 3; time++) {
    await sleep(20);
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}

/** Sockets need a moment to close. @param {string[]} before */
async function resourcesLeft(before) {
  for (let waited = 0; waited < 20 && process.getActiveResourcesInfo().length > before.length; waited++)
    await sleep(100);
  return process.getActiveResourcesInfo().sort();
}

const megabytes = (/** @type {number} */ bytes) => (bytes / 1024 / 1024).toFixed(1);
const seconds = (/** @type {number} */ ms) => (ms / 1_000).toFixed(0);

/** @param {string} line */
function print(line) {
  process.stdout.write(`[soak] ${line}\n`);
}

await main();
