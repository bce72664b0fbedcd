// A writer and a reader drive an embedded broker with a folder, over the wire; it is killed with SIGKILL at random moments and
// started again on its folder. crash-history.ts judges what they have seen.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from '../../scripts/build/build.js';
import { takePortBlock } from '../../tools/ports.js';
import { within } from '../../tools/process/within.js';
import { seededRandom } from '../../tools/random.js';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';
import { type Counts, type Tools, verdictOf } from '../check.js';
import { newSeed } from '../options.js';
import { type CrashEvent, crashViolations } from './crash-history.js';
import { BATCH_SIZE, Reader } from './reader.js';
import { Writer } from './writer.js';

const KILLS = 40;
const LONG_KILLS = 250;
/** From a broker that is ready to its end. */
const MIN_LIFE_MS = 50;
const MAX_LIFE_MS = 700;
/** A broker that is not back by then does not come back. */
const START_MS = 10_000;
const DRAIN_MS = 60_000;
const MAX_SHOWN = 20;

const TOPICS = ['plain:normal:4', 'steps:fifo:8', 'paid:transaction:2', 'later:delay:2'];
const GROUPS = ['readers:normal:1000', 'ordered:fifo:1000'];
const KINDS = ['began', 'answered', 'ended', 'delivered', 'acked'] as const satisfies readonly CrashEvent['kind'][];

interface CrashValues {
  readonly long: boolean;
  readonly kills: number | undefined;
  readonly seed: number | undefined;
}

export async function runCrash(values: CrashValues, tools: Tools): Promise<Counts> {
  const { kills = values.long ? LONG_KILLS : KILLS, seed = newSeed() } = values;
  await build({ names: ['nestjs-rocketmq'] });
  tools.print(`seed ${seed}, ${kills} kills, folder ${tools.folder}`);
  const beganAt = performance.now();
  const history = await historyOf(kills, seed, tools);
  const violations = crashViolations(history, BATCH_SIZE);
  for (const violation of violations.slice(0, MAX_SHOWN)) process.stderr.write(`${violation}\n`);
  const isSound = violations.length === 0;
  const seconds = ((performance.now() - beganAt) / 1_000).toFixed(0);
  const counts = KINDS.map((kind) => `${count(history, kind)} ${kind}`).join(', ');
  const verdict = isSound ? 'sound' : `NOT SOUND: ${violations.length} violations`;
  tools.print(`${kills} kills in ${seconds} s, seed ${seed}: ${counts}: ${verdict}`);
  return verdictOf(isSound);
}

async function historyOf(
  kills: number,
  seed: number,
  { folder, signal, print }: Tools,
): Promise<readonly CrashEvent[]> {
  const random = seededRandom(seed);
  const ports = await takePortBlock();
  const args = ['--port', String(ports.first), '--data', join(folder, 'data'), '--flush', 'sync', '--strict'];
  for (const topic of TOPICS) args.push('--topic', topic);
  for (const group of GROUPS) args.push('--group', group);
  const start = () => within(startEmbeddedBroker(args), START_MS, 'the start of the broker');

  const history: CrashEvent[] = [];
  const endpoints = `127.0.0.1:${ports.first}`;
  let broker = await start();
  const writer = new Writer(endpoints, history, random);
  const reader = new Reader(endpoints, history, random);
  try {
    await Promise.all([writer.start(), reader.start()]);
    for (let kill = 1; kill <= kills; kill++) {
      await sleep(MIN_LIFE_MS + random() * (MAX_LIFE_MS - MIN_LIFE_MS), undefined, { signal });
      await broker.kill();
      broker = await start();
      if (kill % 10 === 0)
        print(`${kill} kills, ${count(history, 'answered')} sends answered, ${count(history, 'acked')} acked`);
    }
    await writer.stop();
    await within(reader.drain(signal), DRAIN_MS, 'reading what is left');
    // Without what the ends below add.
    return [...history];
  } finally {
    await writer.stop();
    await reader.stop();
    await broker.kill();
    await ports.release();
  }
}

function count(history: readonly CrashEvent[], kind: CrashEvent['kind']): number {
  return history.filter((event) => event.kind === kind).length;
}
