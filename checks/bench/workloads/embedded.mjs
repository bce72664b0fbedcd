// What of the embedded broker is measured by starting it: its start, its rest, and a clock that is moved.

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEmbeddedBroker } from '../../../tools/servers/embedded-broker-process.mjs';
import { storeArguments } from '../lib/embedded-arguments.mjs';
import { usageOf } from '../lib/process-usage.mjs';
import { median } from '../lib/statistics.mjs';
import { fill } from './floors/fill.mjs';
import { report, taskOfProcess } from './measuring.mjs';

/** Until the broker has done what it does once after its start. */
const REST_MS = 300;
const DAY_MS = 24 * 60 * 60 * 1000;
const ADVANCE_DAYS = 30;

/** @typedef {import('./measuring.mjs').Task} Task */

const task = taskOfProcess();
report(await (task.workload === 'start' ? start(task) : advance(task)));
process.exit(0);

/** From the start of the process to the answer to a first send; then what it takes in memory. @param {Task} task */
async function start({ kind, starts }) {
  const folder = mkdtempSync(join(process.cwd(), 'data-'));
  const startMs = [];
  const serverBytes = [];
  try {
    for (let index = 0; index < starts; index++) {
      const began = performance.now();
      const broker = await startEmbeddedBroker(['--port', '0', ...storeArguments(kind, join(folder, String(index)))]);
      try {
        await fill(broker.endpoints, { topic: 'first', bodyBytes: 1024, count: 1 });
        startMs.push(performance.now() - began);
        await sleep(REST_MS);
        serverBytes.push(usageOf([broker.pid]).residentBytes);
      } finally {
        await broker.kill();
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  return { startMs: median(startMs), serverBytes: median(serverBytes) };
}

/** A month passes while messages wait, each for a time of its own. @param {Task} task */
async function advance({ pending }) {
  const { TestBroker } = await import('nestjs-rocketmq/testing');
  const broker = await TestBroker.start({ manualClock: true });
  const dueFromMs = broker.clock.nowMs() + 1_000;
  await fill(broker.endpoints, { topic: 'waiting', bodyBytes: 100, count: pending, dueFromMs });
  const began = performance.now();
  await broker.advance(ADVANCE_DAYS * DAY_MS);
  const advanceSeconds = (performance.now() - began) / 1000;
  const delivered = broker.messages('waiting').length;
  await broker.stop();
  if (delivered < pending) throw new Error(`${delivered} of ${pending} messages became visible`);
  return { advanceSeconds };
}
