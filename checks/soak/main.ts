// Wears the client out: a broker that is killed and started again under load, clients created and closed, messages sent and
// consumed. Ten rounds alike; the heap after the last must be what it was after the first, and nothing may be left open.

import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { build } from '../../scripts/build/build.js';
import { within } from '../../tools/process/within.js';
import { type Counts, type Tools, verdictOf } from '../check.js';
import { RealSoakBroker, SoakBroker } from './soak-broker.js';

const ROUNDS = 10;
const SHORT = { restarts: 10, cycles: 500, messages: 10_000 };
const LONG = { restarts: 20, cycles: 10_000, messages: 100_000 };
/** How much the heap after the last round may be above that after the first. */
const MAX_GROWTH_BYTES = 5 * 1024 * 1024;
const TOPIC = 'soak';
const GROUP = 'soakers';
const CONCURRENCY = 32;
/** No step may take longer; what hangs is a failure and not a long run. */
const TIMEOUT_MS = 60_000;

const BROKERS = { http2: SoakBroker, remoting: RealSoakBroker };

/** Every body that was consumed, by the round's own count: nothing of it is kept, or it would be taken for a leak. */
class Consumed {
  private readonly waiting = new Map<string, () => void>();

  add(body: string): void {
    this.waiting.get(body)?.();
    this.waiting.delete(body);
  }

  /** Resolves when a message of this body has been consumed. */
  of(body: string): Promise<void> {
    return new Promise((resolve) => this.waiting.set(body, resolve));
  }
}

interface Run {
  readonly broker: SoakBroker | RealSoakBroker;
  readonly producer: Producer;
  readonly consumed: Consumed;
  /** Aborted when it ends, for whatever reason. */
  readonly signal: AbortSignal;
}

interface SoakValues {
  readonly long: boolean;
  readonly transport: keyof typeof BROKERS;
}

export async function runSoak({ long, transport }: SoakValues, tools: Tools): Promise<Counts> {
  const { print, signal: stop } = tools;
  const plan = long ? LONG : SHORT;
  await build({ names: ['nestjs-rocketmq'] });
  const heapBytes = heapMeter();
  // A pipe that this process writes to counts from its first use on.
  print(`${long ? 'long' : 'short'}, by ${transport}`);
  process.stderr.write('');
  await sleep(100);
  const resourcesBefore = process.getActiveResourcesInfo().sort();
  const broker = new BROKERS[transport]({ topic: TOPIC, group: GROUP });
  await broker.start();
  const heaps: number[] = [];
  const failures: unknown[] = [];
  const began = performance.now();
  const connection = new Connection({ endpoints: broker.endpoints });
  const producer = new Producer(connection, { topics: { [TOPIC]: 'normal' } });
  const consumed = new Consumed();
  const consumer = consumerOf(connection, GROUP, (body) => consumed.add(body));
  const over = new AbortController();
  const signal = AbortSignal.any([stop, over.signal]);
  const run: Run = { broker, producer, consumed, signal };
  try {
    await step(() => Promise.all([producer.start(), consumer.start()]), 'the start of the clients', signal);
    // The first round fills caches and compiles code: it is not measured.
    for (let round = 0; round <= ROUNDS; round++) {
      for (let done = 0; done < plan.restarts / ROUNDS; done++) {
        // A broker that is just starting can only be stopped afterwards, so this is waited for when the run is stopped, too.
        await within(restartUnderLoad(run, `${round}.${done}`), TIMEOUT_MS, 'a restart under load');
      }
      await createAndClose(run, plan.cycles / ROUNDS);
      await step(() => pass(run, plan.messages / ROUNDS, `${round}`), 'sending and consuming', signal);
      const heap = await heapBytes();
      if (round > 0) heaps.push(heap);
      print(`round ${round} of ${ROUNDS}: heap ${megabytes(heap)} MB after ${seconds(performance.now() - began)} s`);
    }
  } catch (error) {
    failures.push(error);
  } finally {
    over.abort();
    await consumer.close({ shutdownGraceMs: 5_000 });
    await producer.close();
    connection.close();
    await broker.stop();
  }
  stop.throwIfAborted();
  failures.push(...leaksIn(heaps, resourcesBefore, await resourcesLeft(resourcesBefore)));
  for (const failure of failures) process.stderr.write(`${failure instanceof Error ? failure.stack : failure}\n`);
  print(
    `${plan.restarts} restarts, ${plan.cycles} clients, ${plan.messages} messages and a round of warm-up in ${seconds(performance.now() - began)} s: ${failures.length === 0 ? 'sound' : 'NOT SOUND'}`,
  );
  return verdictOf(failures.length === 0);
}

function leaksIn(heaps: readonly number[], before: readonly string[], after: readonly string[]): readonly string[] {
  const failures: string[] = [];
  const growth = (heaps.at(-1) ?? 0) - (heaps[0] ?? 0);
  if (heaps.length > 0 && growth > MAX_GROWTH_BYTES)
    failures.push(`the heap grew by ${megabytes(growth)} MB over ${heaps.length} rounds`);
  if (after.length > before.length) failures.push(`left open: ${after.join(', ')}; before: ${before.join(', ')}`);
  return failures;
}

/** Waits for what must end in time, but no longer than until the signal is aborted. */
async function step(work: () => Promise<unknown>, what: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const ended = new Promise<unknown>((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    work()
      .finally(() => signal.removeEventListener('abort', stop))
      .then(resolve, reject);
  });
  await within(ended, TIMEOUT_MS, what);
}

/** Kills the broker while sends are under way, starts it again, and waits until producer and consumer are back. */
async function restartUnderLoad({ broker, producer, consumed, signal }: Run, name: string): Promise<void> {
  let isOver = false;
  const load = Array.from({ length: CONCURRENCY }, async () => {
    // Sends of the time without a broker may fail; that they end at all is what counts here.
    while (!isOver && !signal.aborted) {
      await producer.send({ topic: TOPIC, body: 'load' }, { timeoutMs: 5_000 }).catch(() => {});
    }
  });
  await sleep(50);
  await broker.kill();
  signal.throwIfAborted();
  await broker.start();
  const body = `after restart ${name}`;
  const arrival = consumed.of(body);
  const sent = () => producer.send({ topic: TOPIC, body }, { timeoutMs: 30_000 });
  await step(() => sent().then(() => arrival), 'the return of the clients', signal);
  isOver = true;
  await Promise.all(load);
}

/** Clients of their own, one connection each: started and closed. */
async function createAndClose({ broker, signal }: Run, count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await step(() => oneCycle(broker.endpoints), 'start and close of clients', signal);
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}

async function oneCycle(endpoints: string): Promise<void> {
  const connection = new Connection({ endpoints });
  const producer = new Producer(connection, { topics: { [TOPIC]: 'normal' } });
  const consumer = consumerOf(connection, 'passers-by', () => {});
  await Promise.all([producer.start(), consumer.start()]);
  await consumer.close({ shutdownGraceMs: 1_000 });
  await producer.close();
  connection.close();
}

/** Sends messages and waits until the last of each sender has been consumed. */
async function pass({ producer, consumed }: Run, count: number, name: string): Promise<void> {
  let left = count;
  const worker = async (_: unknown, index: number): Promise<void> => {
    while (left-- > CONCURRENCY) await producer.send({ topic: TOPIC, body: 'passing' });
    const body = `last of ${name}.${index}`;
    const arrival = consumed.of(body);
    await producer.send({ topic: TOPIC, body });
    await arrival;
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

function consumerOf(connection: Connection, consumerGroup: string, onBody: (body: string) => void): PushConsumer {
  return new PushConsumer(connection, {
    consumerGroup,
    subscriptions: [{ topic: TOPIC }],
    concurrency: CONCURRENCY,
    handler: ({ body }) => onBody(body.toString()),
  });
}

/** Measures what is used once everything unreachable is gone: objects with finalizers need more than one collection. */
function heapMeter(): () => Promise<number> {
  // As an argument of node it would have to be known before the check is.
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  return async () => {
    for (let time = 0; time < 3; time++) {
      await sleep(20);
      collect();
    }
    return process.memoryUsage().heapUsed;
  };
}

/** Sockets need a moment to close. */
async function resourcesLeft(before: readonly string[]): Promise<readonly string[]> {
  for (let waited = 0; waited < 20 && process.getActiveResourcesInfo().length > before.length; waited++)
    await sleep(100);
  return process.getActiveResourcesInfo().sort();
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(0);
}
