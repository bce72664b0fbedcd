// The workloads of the clients that run on Node.js, the same for each: a program says how its client sends and consumes.

import { setTimeout as sleep } from 'node:timers/promises';
import { usageOf } from '../lib/process-usage.mjs';
import { median } from '../lib/statistics.mjs';
import { fill } from './floors/fill.mjs';
import { Meter, report, taskOfProcess } from './measuring.mjs';

/**
 * @typedef {import('./measuring.mjs').Task} Task
 * @typedef {(body: Buffer) => Promise<unknown>} SendOne
 *
 * @typedef {object} Program
 * @property {string} version
 * @property {(task: Task) => Promise<SendOne>} producer
 * @property {(task: Task, handle: (body: Buffer) => unknown) => Promise<unknown>} consumer
 */

/** Long enough for assignments, heartbeats and settings to have been exchanged. */
const SETTLE_MS = 5_000;
const HEAP_EVERY_MS = 1_000;
const MINUTE_MS = 60_000;
const HANDLER_MS = 5;
const HOURS_AWAY_MS = 2 * 60 * MINUTE_MS;
const PENDING_BYTES = 100;
const DUE_IN_MS = 1_500;
const DUE_EVERY_MS = 100;
const DUE_MESSAGES = 31;

/** Runs the workload of this process's task and ends the process. @param {Program} program */
export async function runWorkload(program) {
  const task = taskOfProcess();
  const workload = WORKLOADS[task.workload];
  if (workload === undefined) throw new Error(`there is no workload ${task.workload}`);
  const figures = await workload(program, task);
  report({ ...figures, version: program.version });
  // Without the notification of its termination: how long a client takes for its own is not what is measured.
  process.exit(0);
}

/** @type {Record<string, (program: Program, task: Task) => Promise<object>>} */
const WORKLOADS = { send, drain, latency, idle, backlog, delays };

/** @param {Program} program @param {Task} task */
async function send(program, task) {
  const sendOne = await program.producer(task);
  const body = Buffer.alloc(task.bodyBytes, 'x');
  await sends(sendOne, body, task, task.warmUp, undefined);
  const meter = new Meter();
  await sends(sendOne, body, task, task.count, meter);
  return meter.figures(task.count);
}

/** @param {SendOne} sendOne @param {Buffer} body @param {Task} task @param {number} count @param {Meter | undefined} meter */
async function sends(sendOne, body, { inFlight }, count, meter) {
  let left = count;
  const sender = async () => {
    while (left-- > 0) {
      const began = performance.now();
      await sendOne(body);
      meter?.latency(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, sender));
}

/**
 * From the first message after the warm-up to the last that counts.
 * @param {Program} program @param {Task} task @returns {Promise<object>}
 */
function drain(program, task) {
  return new Promise((resolve, reject) => {
    let handled = 0;
    let meter = new Meter();
    const handle = () => {
      handled++;
      if (handled === task.warmUp) meter = new Meter();
      else if (handled === task.warmUp + task.count) resolve(meter.figures(task.count));
    };
    program.consumer(task, handle).catch(reject);
  });
}

/** How long after the begin of its send a message is handled, at a fixed rate. @param {Program} program @param {Task} task */
async function latency(program, task) {
  const everyMs = 1000 / task.perSecond;
  let meter = new Meter();
  let handled = 0;
  await program.consumer(task, (body) => {
    if (body.readUInt8(8) === 0) return;
    handled++;
    meter.latency(performance.now() - body.readDoubleLE(0));
  });
  const sendOne = await program.producer(task);
  const sendFor = async (/** @type {number} */ seconds, /** @type {number} */ mark) => {
    const began = performance.now();
    const count = seconds * task.perSecond;
    const sending = [];
    for (let index = 0; index < count; index++) {
      const waitMs = began + index * everyMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      const body = Buffer.alloc(task.bodyBytes);
      body.writeDoubleLE(performance.now(), 0);
      body.writeUInt8(mark, 8);
      sending.push(sendOne(body));
    }
    await Promise.all(sending);
    return sending.length;
  };
  await sendFor(task.warmUpSeconds, 0);
  meter = new Meter();
  const sent = await sendFor(task.seconds, 1);
  for (const endsAt = performance.now() + SETTLE_MS; handled < sent && performance.now() < endsAt; ) await sleep(10);
  if (handled < sent) throw new Error(`${handled} of ${sent} messages came`);
  return meter.figures(sent);
}

/** A consumer that nothing comes to. @param {Program} program @param {Task} task */
async function idle(program, task) {
  await program.consumer(task, () => {});
  await sleep(SETTLE_MS);
  const meter = new Meter();
  await sleep(task.seconds * 1000);
  const { cpuPercent, residentBytes, seconds } = meter.figures(1);
  return { cpuPercent, residentBytes, seconds };
}

/**
 * A long backlog before a slow handler: the heap after collections, in the first minute and in the last. Between them nobody
 * collects, so that the resident memory is what the process would have had anyhow.
 * @param {Program} program @param {Task} task
 */
async function backlog(program, task) {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc');
  const spanMs = Math.min(MINUTE_MS, (task.seconds * 1000) / 3);
  /** @type {number[]} */
  const first = [];
  /** @type {number[]} */
  const last = [];
  let handled = 0;
  let residentBytes = 0;
  const meter = new Meter();
  await program.consumer(task, async () => {
    await sleep(HANDLER_MS);
    handled++;
  });
  const began = performance.now();
  for (let atMs = 0; atMs < task.seconds * 1000; atMs = performance.now() - began) {
    await sleep(HEAP_EVERY_MS);
    residentBytes = Math.max(residentBytes, process.memoryUsage.rss());
    if (atMs < spanMs) first.push(heapAfterCollection());
    else if (atMs >= task.seconds * 1000 - spanMs) last.push(heapAfterCollection());
  }
  if (handled >= task.count) throw new Error('the backlog ran out');
  return { ...meter.figures(handled), residentBytes, heapGrowthBytes: median(last) - median(first) };
}

function heapAfterCollection() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/**
 * Sends as ever, then with many delayed messages pending; and how late those come that are due while nothing else happens.
 * @param {Program} program @param {Task} task
 */
async function delays(program, task) {
  const sendOne = await program.producer(task);
  const body = Buffer.alloc(task.bodyBytes, 'x');
  const measured = async () => {
    await sends(sendOne, body, task, task.warmUp, undefined);
    const before = usageOf(task.pids).cpuMicros;
    const meter = new Meter();
    await sends(sendOne, body, task, task.count, meter);
    return { ...meter.figures(task.count), serverMicros: (usageOf(task.pids).cpuMicros - before) / task.count };
  };
  const without = await measured();
  // Sends go on while the timers wait: the first of those is due when this is long over.
  const dueFromMs = Date.now() + HOURS_AWAY_MS;
  await fill(task.endpoints, {
    topic: `${task.topic}-pending`,
    bodyBytes: PENDING_BYTES,
    count: task.pending,
    dueFromMs,
  });
  const figures = await measured();
  const share = figures.perSecond / without.perSecond;
  const cpuShare = figures.serverMicros / without.serverMicros;
  return {
    ...figures,
    share,
    cpuShare,
    latestMs: await latestOf(program, task),
    serverBytes: usageOf(task.pids).residentBytes,
  };
}

/** How long after its time the latest of some delayed messages is handled. @param {Program} program @param {Task} task */
async function latestOf(program, task) {
  const topic = `${task.topic}-due`;
  /** @type {number[]} */
  const handled = [];
  const sendOne = await program.producer({ ...task, topic, delayMs: DUE_IN_MS });
  // The topic is created with the first message.
  await sendOne(timed());
  await program.consumer({ ...task, topic, group: topic }, (body) => handled.push(Date.now() - body.readDoubleLE(0)));
  for (let sent = 1; sent < DUE_MESSAGES; sent++) {
    await sleep(DUE_EVERY_MS);
    await sendOne(timed());
  }
  for (const endsAt = performance.now() + SETTLE_MS; handled.length < DUE_MESSAGES && performance.now() < endsAt; ) {
    await sleep(10);
  }
  if (handled.length < DUE_MESSAGES) throw new Error(`${handled.length} of ${DUE_MESSAGES} delayed messages came`);
  // The first one came while the consumer started.
  return Math.max(...handled.slice(1));
}

/** A body with the approximate due time: the client adds the delay to its own time. */
function timed() {
  const body = Buffer.alloc(8);
  body.writeDoubleLE(Date.now() + DUE_IN_MS, 0);
  return body;
}
