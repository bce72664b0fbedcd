// Loaded before a program (`node --expose-gc --import`): reports to the parent process what it holds in memory, and how long
// it was busy without a pause. Both are its own: another process that takes the machine's time changes neither.

import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** An event loop that is free looks this often. */
const LOOK_EVERY_MS = 20;
/** Work that grows with the speed of the machine only: one character after the other of 256 MiB. */
const YARDSTICK_TEXT = 'a'.repeat(2 ** 20);
const YARDSTICK_TIMES = 2 ** 8;

const THREAD_FILE = '/proc/thread-self/schedstat';
const isThreadKnown = existsSync(THREAD_FILE);

let last = cpuMs();
let lastMs = Date.now();
let busiest = { cpuMs: 0, fromMs: lastMs, toMs: lastMs };

setInterval(look, LOOK_EVERY_MS).unref();

/** A turn of the event loop that takes long delays the look behind it: the CPU between two looks is that of the turn, or little more. */
function look() {
  const now = cpuMs();
  const nowMs = Date.now();
  if (now - last > busiest.cpuMs) busiest = { cpuMs: now - last, fromMs: lastMs, toMs: nowMs };
  last = now;
  lastMs = nowMs;
}

/**
 * The CPU time of the thread that serves, where the system reports it. Threads that collect garbage beside it delay nobody, and their
 * part of a collection varies from run to run.
 */
function cpuMs() {
  if (isThreadKnown) return Number.parseInt(readFileSync(THREAD_FILE, 'utf8'), 10) / 1_000_000;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** The longest time of work since it was asked for the last time. */
function takeBusiest() {
  look();
  const taken = busiest;
  busiest = { cpuMs: 0, fromMs: lastMs, toMs: lastMs };
  return taken;
}

function yardstick() {
  const before = cpuMs();
  for (let time = 0; time < YARDSTICK_TIMES; time++)
    if (!/^[a-z]*$/.test(YARDSTICK_TEXT)) throw new Error('no letters');
  const taken = cpuMs() - before;
  takeBusiest();
  return { cpuMs: taken };
}

async function memory() {
  // Objects with finalizers need more than one collection.
  for (let time = 0; time < 3; time++) {
    await sleep(LOOK_EVERY_MS);
    globalThis.gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return { memoryBytes: heapUsed + external };
}

const ANSWERS = { memory, busiest: takeBusiest, yardstick };

process.on('message', async (/** @type {{ asks?: keyof typeof ANSWERS }} */ { asks }) => {
  if (asks !== undefined && asks in ANSWERS) process.send?.(await ANSWERS[asks]());
});
