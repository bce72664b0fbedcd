// npm run crash-test [-- --long] [-- --kills N] [-- --seed N]
// A writer and a reader drive an embedded broker with a folder, over the wire; it is killed with SIGKILL at random moments and
// started again on its folder. Fails with exit code 1 when checks/crash/crash-history.ts finds what must not be.
// The folder of a failed run is kept.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { build } from '../../scripts/build/build.mjs';
import { takePortBlock } from '../../tools/ports.mjs';
import { within } from '../../tools/process/within.mjs';
import { seededRandom } from '../../tools/random.ts';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';
import { crashViolations } from './crash-history.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const KILLS = 40;
const LONG_KILLS = 250;
/** From a broker that is ready to its end. */
const LIFE_MS = { least: 50, most: 700 };
/** A broker that is not back by then does not come back. */
const START_MS = 10_000;
const DRAIN_MS = 60_000;

const TOPICS = ['plain:normal:4', 'steps:fifo:8', 'paid:transaction:2', 'later:delay:2'];
/** @typedef {import('./crash-history.ts').CrashEvent} CrashEvent */

const GROUPS = ['readers:normal:1000', 'ordered:fifo:1000'];

async function main() {
  const { values } = parseArgs({
    options: { long: { type: 'boolean' }, kills: { type: 'string' }, seed: { type: 'string' } },
  });
  const kills = Number(values.kills ?? (values.long ? LONG_KILLS : KILLS));
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  await build({ names: ['nestjs-rocketmq'] });
  const folder = mkdtempSync(join(tmpdir(), 'crash-test-'));
  const ports = await takePortBlock();
  print(`seed ${seed}, ${kills} kills, folder ${folder}`);
  const random = seededRandom(seed);
  const args = ['--port', String(ports.first), '--data', join(folder, 'data'), '--flush', 'sync', '--strict'];
  for (const topic of TOPICS) args.push('--topic', topic);
  for (const group of GROUPS) args.push('--group', group);
  const start = () => within(startEmbeddedBroker(args), START_MS, 'the start of the broker');

  const beganAt = performance.now();
  /** @type {CrashEvent[]} */
  const history = [];
  const endpoints = `127.0.0.1:${ports.first}`;
  let broker = await start();
  const writer = new Writer(endpoints, history, random);
  const reader = new Reader(endpoints, history, random);
  let violations = ['the run broke off'];
  try {
    await Promise.all([writer.start(), reader.start()]);
    for (let kill = 1; kill <= kills; kill++) {
      await sleep(LIFE_MS.least + random() * (LIFE_MS.most - LIFE_MS.least));
      await broker.kill();
      broker = await start();
      if (kill % 10 === 0)
        print(`${kill} kills, ${count(history, 'answered')} sends answered, ${count(history, 'acked')} acked`);
    }
    await writer.stop();
    await within(reader.drain(), DRAIN_MS, 'reading what is left');
    violations = crashViolations(history);
  } finally {
    await writer.stop();
    await reader.stop();
    await broker.kill();
    await ports.release();
  }
  report({ violations, history, kills, seed, folder, beganAt });
}

/** @param {{ violations: readonly string[], history: readonly CrashEvent[], kills: number, seed: number, folder: string, beganAt: number }} run */
function report({ violations, history, kills, seed, folder, beganAt }) {
  for (const violation of violations.slice(0, 20)) process.stderr.write(`${violation}\n`);
  const seconds = ((performance.now() - beganAt) / 1_000).toFixed(0);
  const kinds = /** @type {const} */ (['began', 'answered', 'ended', 'delivered', 'acked']);
  const counts = kinds.map((kind) => `${count(history, kind)} ${kind}`);
  const verdict =
    violations.length === 0 ? 'sound' : `NOT SOUND: ${violations.length} violations, folder ${folder} kept`;
  print(`${kills} kills in ${seconds} s, seed ${seed}: ${counts.join(', ')}: ${verdict}`);
  if (violations.length === 0) rmSync(folder, { recursive: true, force: true });
  else process.exitCode = 1;
}

/** @param {readonly CrashEvent[]} history @param {CrashEvent['kind']} kind */
function count(history, kind) {
  return history.filter((event) => event.kind === kind).length;
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`[crash-test] ${line}\n`);
}

await main();
