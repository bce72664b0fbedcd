// The workloads of what hands over from a database, the same for each: a program says how its library adds, schedules and works.

import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { treeCpuMicros } from '../lib/process-usage.mjs';
import { Meter, report, taskOfProcess } from './measuring.mjs';

/**
 * @typedef {import('./measuring.mjs').Task} Task
 * @typedef {import('pg').PoolClient} Transaction
 *
 * @typedef {object} Library
 * @property {(tx: Transaction, body: string) => Promise<unknown>} add in a transaction
 * @property {(bodies: readonly string[], dueAtMs: number) => Promise<unknown>} schedule
 * @property {() => Promise<unknown>} work begins to call the handler
 *
 * @typedef {object} Program
 * @property {string} version
 * @property {(task: Task, pool: pg.Pool, handle: (body: string) => void) => Promise<Library>} open creates its tables
 */

const POOL = 10;
const LAST_MS = 60_000;
const ADDED_AT_ONCE = 500;
/** Until all that is scheduled is in its table. */
const DUE_IN_MS = 100;
const PADDING = 'x'.repeat(1_000);

/** Runs the workload of this process's task and ends the process. @param {Program} program */
export async function runDatabaseWorkload(program) {
  const task = taskOfProcess();
  const workload = WORKLOADS[task.workload];
  if (workload === undefined) throw new Error(`there is no workload ${task.workload}`);
  const pool = new pg.Pool({ connectionString: task.endpoints, max: POOL });
  await pool.query('CREATE TABLE orders (id text PRIMARY KEY)');
  const figures = await workload(program, task, pool);
  report({ ...figures, version: program.version });
  process.exit(0);
}

/** @type {Record<string, (program: Program, task: Task, pool: pg.Pool) => Promise<object>>} */
const WORKLOADS = { commits, backlog, due };

/** How long after the begin of its commit a message is handled, at a fixed rate. @param {Program} program @param {Task} task @param {pg.Pool} pool */
async function commits(program, task, pool) {
  /** @type {Map<string, number>} */
  const committedAtMs = new Map();
  const spent = new Spent(task);
  let handled = 0;
  const library = await program.open(task, pool, (body) => {
    const id = idOf(body);
    const atMs = committedAtMs.get(id);
    if (atMs === undefined || !committedAtMs.delete(id)) return;
    if (id.startsWith('measured')) {
      spent.meter.latency(performance.now() - atMs);
      handled++;
    }
  });
  await library.work();
  const run = async (/** @type {string} */ name, /** @type {number} */ seconds) => {
    const began = performance.now();
    const count = seconds * task.perSecond;
    const all = [];
    for (let index = 0; index < count; index++) {
      const waitMs = began + (index * 1000) / task.perSecond - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      const id = `${name}-${index}`;
      all.push(
        transaction(pool, async (tx) => {
          await tx.query('INSERT INTO orders (id) VALUES ($1)', [id]);
          await library.add(tx, bodyOf(id));
          committedAtMs.set(id, performance.now());
        }),
      );
    }
    await Promise.all(all);
    return count;
  };
  await run('before', task.warmUpSeconds);
  spent.begin();
  const count = await run('measured', task.seconds);
  await until(() => handled >= count, `${count} messages`);
  return spent.figures(count);
}

/** What was added before anything works. @param {Program} program @param {Task} task @param {pg.Pool} pool */
async function backlog(program, task, pool) {
  return drained(program, task, pool, async (library, bodies) => {
    for (const some of parts(bodies))
      await transaction(pool, async (tx) => {
        for (const body of some) await library.add(tx, body);
      });
  });
}

/** What was scheduled, and is due before anything works. @param {Program} program @param {Task} task @param {pg.Pool} pool */
async function due(program, task, pool) {
  return drained(program, task, pool, async (library, bodies) => {
    const dueAtMs = Date.now() + DUE_IN_MS;
    for (const some of parts(bodies)) await library.schedule(some, dueAtMs);
    await sleep(DUE_IN_MS);
  });
}

/**
 * @param {Program} program @param {Task} task @param {pg.Pool} pool
 * @param {(library: Library, bodies: readonly string[]) => Promise<unknown>} fill
 */
async function drained(program, task, pool, fill) {
  const all = new Set();
  const spent = new Spent(task);
  let isOver = false;
  const library = await program.open(task, pool, (body) => {
    all.add(idOf(body));
    if (all.size === task.warmUp) spent.begin();
    if (all.size === task.warmUp + task.count) {
      spent.end();
      isOver = true;
    }
  });
  await fill(
    library,
    Array.from({ length: task.warmUp + task.count }, (_, index) => bodyOf(`measured-${index}`)),
  );
  await pool.query('ANALYZE');
  await library.work();
  await until(() => isOver, `${task.count} messages`);
  return spent.figures(task.count);
}

/** What this process and the database spend. */
class Spent {
  meter = new Meter();
  #task;
  #databaseMicros = 0;
  /** @type {number | undefined} */
  #endMicros;

  /** @param {Task} task */
  constructor(task) {
    this.#task = task;
    this.begin();
  }

  begin() {
    this.meter = new Meter();
    this.#databaseMicros = treeCpuMicros(this.#task.pids);
  }

  end() {
    this.#endMicros = treeCpuMicros(this.#task.pids);
  }

  /** @param {number} count */
  figures(count) {
    const serverMicros = ((this.#endMicros ?? treeCpuMicros(this.#task.pids)) - this.#databaseMicros) / count;
    return { ...this.meter.figures(count), serverMicros };
  }
}

/** @param {pg.Pool} pool @param {(tx: Transaction) => Promise<unknown>} work */
async function transaction(pool, work) {
  const tx = await pool.connect();
  try {
    await tx.query('BEGIN');
    await work(tx);
    await tx.query('COMMIT');
  } finally {
    tx.release();
  }
}

/** @param {() => boolean} isThere @param {string} what */
async function until(isThere, what) {
  for (const endsAt = performance.now() + LAST_MS; !isThere(); await sleep(5)) {
    if (performance.now() > endsAt) throw new Error(`${what} were not handled`);
  }
}

/** @param {readonly string[]} bodies */
function parts(bodies) {
  const count = Math.ceil(bodies.length / ADDED_AT_ONCE);
  return Array.from({ length: count }, (_, index) => bodies.slice(index * ADDED_AT_ONCE, (index + 1) * ADDED_AT_ONCE));
}

/** @param {string} id */
const bodyOf = (id) => `${id} ${PADDING}`;

/** @param {string} body */
const idOf = (body) => body.slice(0, body.indexOf(' '));
