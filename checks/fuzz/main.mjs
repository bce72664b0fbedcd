// npm run fuzz [-- --long] [-- --requests N] [-- --seed N]
// Hostile requests to an embedded broker in a process of its own: checks/fuzz has what is sent. Fails with exit code 1 and says
// what broke when the broker crashes, no longer serves a good client, works on a request for too long, keeps memory, holds too much for
// callers that finish nothing, or an RPC was not reached behind its checks. The same seed and number of requests send the same.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { build } from '../../scripts/build/build.mjs';
import { within } from '../../tools/process/within.mjs';
import { seededRandom } from '../../tools/random.ts';
import { Attacker } from './attacker.ts';
import { Coverage, outcomeOf } from './coverage.ts';
import { Flights } from './flights.ts';
import { FuzzedBroker } from './fuzzed-broker.mjs';
import { GOOD_GROUP, GOOD_TOPIC, serveGoodClient } from './good-client.ts';
import { hostileRequest } from './hostile-requests.ts';
import { FUZZ_GROUPS, FUZZ_TOPICS, Recorder } from './recording.ts';
import { UnfinishedCallers, unfinishedRequests } from './unfinished-requests.ts';
import { MOST_GROWTH_BYTES, MOST_HELD_BYTES, summary, violations } from './verdict.ts';

const REQUESTS = 20_000;
const LONG_REQUESTS = 150_000;
const ATTACKERS = 16;
/** After so many the good client comes, and what was recorded is recorded again: its handles are used up by then. */
const ROUND = 500;
/** Sent before the memory is looked at: code is compiled and tables are filled. */
const WARM_UP_ROUNDS = 4;
/** Messages are gone after this long, or what is stored would be taken for a leak. */
const RETENTION_MS = 3_000;
/** How long the broker may take to forget what is over. */
const REST_MS = 30_000;
/** What takes longer hangs. */
const PATIENCE_MS = 20_000;
const CONFIG = {
  retentionMs: RETENTION_MS,
  recallEnabled: true,
  transactionFirstCheckMs: 500,
  transactionCheckIntervalMs: 500,
  transactionCheckMax: 3,
};
const DECLARED = { topics: [...FUZZ_TOPICS, GOOD_TOPIC], groups: [...FUZZ_GROUPS, GOOD_GROUP] };
/** Requests that are named when the broker was busy for too long. */
const MOST_NAMED = 20;
/** Times the callers come that finish no request. */
const UNFINISHED_TIMES = 2;
const LONG_UNFINISHED_TIMES = 20;
const GOOD_USER = { accessKey: 'good', secretKey: 'the key of a good client', isSuper: true };

/** @typedef {import('./verdict.ts').Holding} Holding */

async function main() {
  const { values } = parseArgs({
    options: { long: { type: 'boolean' }, requests: { type: 'string' }, seed: { type: 'string' } },
  });
  const requests = Number(values.requests ?? (values.long ? LONG_REQUESTS : REQUESTS));
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  if (!(Number.isInteger(requests) && requests > 0 && Number.isInteger(seed))) {
    throw new Error('--requests and --seed must be integers');
  }
  await build({ names: ['nestjs-rocketmq'] });
  print(`seed ${seed}, ${requests} requests`);
  const broker = await FuzzedBroker.start(CONFIG, DECLARED);
  const run = new Run(broker, seed);
  const times = values.long ? LONG_UNFINISHED_TIMES : UNFINISHED_TIMES;
  /** @type {Holding[]} */
  const holdings = [];
  try {
    await run.all(requests);
    holdings.push(await heldUnfinished(broker, 'without users', MOST_HELD_BYTES.withoutUsers, run, times));
  } finally {
    await broker.stop();
  }
  const secured = await FuzzedBroker.start({ ...CONFIG, users: [GOOD_USER] }, DECLARED);
  try {
    holdings.push(await heldUnfinished(secured, 'with users', MOST_HELD_BYTES.withUsers, run, times));
  } finally {
    await secured.stop();
  }
  report(run, requests, holdings);
}

/**
 * What a broker holds for callers who finish none of their requests, and have no keys. A good client is served all the same.
 * @param {FuzzedBroker} broker @param {string} name @param {number} mostBytes @param {Run} run @param {number} times
 * @returns {Promise<Holding>}
 */
async function heldUnfinished(broker, name, mostBytes, run, times) {
  const before = (await broker.memoryBytes()) ?? 0;
  let heldBytes = 0;
  for (let time = 0; time < times && broker.end === undefined; time++) {
    const callers = new UnfinishedCallers(broker.ports);
    try {
      const begun = callers.begin(unfinishedRequests(run.seed + time));
      await run.goodClient(broker);
      await within(begun, PATIENCE_MS, 'to begin requests');
      await run.goodClient(broker);
      heldBytes = Math.max(heldBytes, ((await broker.memoryBytes()) ?? Number.POSITIVE_INFINITY) - before);
    } catch (error) {
      run.goodClientFailures.push(describe(error));
    } finally {
      callers.close();
    }
  }
  run.crashed ??= broker.end;
  return { broker: name, heldBytes, mostBytes };
}

/** Rounds of requests, and what was seen. */
class Run {
  coverage = new Coverage();
  goodClients = 0;
  goodClientFailures = /** @type {string[]} */ ([]);
  memoryBeforeBytes = 0;
  memoryAfterBytes = /** @type {number | undefined} */ (undefined);
  crashed = /** @type {string | undefined} */ (undefined);
  /** The longest that the broker worked at a stretch, and what it was asked then. */
  busiest = { cpuMs: 0, requests: /** @type {string[]} */ ([]) };
  yardstickCpuMs = 0;
  flights = new Flights();
  sent = 0;
  beganAt = performance.now();

  /** @param {FuzzedBroker} broker @param {number} seed */
  constructor(broker, seed) {
    this.broker = broker;
    this.seed = seed;
    this.recorder = new Recorder(broker.ports.clients);
    /** @type {import('./attacker.ts').OnAnswer} */
    const onAnswer = (rpc, answer) => this.coverage.add(rpc, outcomeOf(rpc, answer));
    this.attackers = Array.from({ length: ATTACKERS }, (_, index) => {
      return new Attacker(broker.ports, seededRandom(seed + index), onAnswer);
    });
  }

  /** @param {number} requests */
  async all(requests) {
    try {
      for (let round = 0; round < WARM_UP_ROUNDS; round++) await this.round(ROUND);
      this.memoryBeforeBytes = (await this.memoryAtRest(0)) ?? 0;
      this.sent = 0;
      this.yardstickCpuMs = (await this.broker.yardstickCpuMs()) ?? 0;
      this.busiest = { cpuMs: 0, requests: [] };
      for (let round = 1; this.sent < requests && this.broker.end === undefined; round++) {
        await this.round(Math.min(ROUND, requests - this.sent));
        if (round % 10 === 0) print(`${this.sent} requests, ${this.goodClients} good clients served`);
      }
      this.memoryAfterBytes = await this.memoryAtRest(this.memoryBeforeBytes + MOST_GROWTH_BYTES);
    } catch (error) {
      this.goodClientFailures.push(describe(error));
    } finally {
      for (const attacker of this.attackers) attacker.close();
      this.crashed = this.broker.end;
    }
  }

  /** @param {import('./recording.ts').Recording} recording */
  attackWith(recording) {
    return { seed: this.seed, recording };
  }

  /** @param {number} requests */
  async round(requests) {
    this.flights.clear();
    await this.broker.busiest();
    const recording = await within(this.recorder.record(), PATIENCE_MS, 'recording an exchange');
    const end = this.sent + requests;
    const attack = async (/** @type {Attacker} */ attacker) => {
      while (this.sent < end && this.broker.end === undefined) {
        const number = this.sent++;
        const request = hostileRequest(this.attackWith(recording), number);
        const ended = this.flights.begin(number, request);
        await attacker.send(request);
        ended();
      }
    };
    const attacks = Promise.all(this.attackers.map(attack));
    await this.goodClient(this.broker);
    await within(attacks, PATIENCE_MS, 'a round of requests');
    await this.lookAtWork();
  }

  async lookAtWork() {
    const busiest = await this.broker.busiest();
    if (busiest === undefined || busiest.cpuMs <= this.busiest.cpuMs) return;
    const requests = this.flights.during(busiest.fromMs, busiest.toMs).slice(0, MOST_NAMED);
    this.busiest = { cpuMs: busiest.cpuMs, requests };
  }

  /** @param {FuzzedBroker} broker */
  async goodClient(broker) {
    try {
      await serveGoodClient(broker.ports.clients, this.goodClients, GOOD_USER);
      this.goodClients++;
    } catch (error) {
      this.goodClientFailures.push(describe(error));
    }
  }

  /** Everybody leaves; then what is held, as soon as it is not more than `enough`, or the time for it is over. @param {number} enough */
  async memoryAtRest(enough) {
    for (const attacker of this.attackers) attacker.close();
    await within(this.recorder.close(), PATIENCE_MS, 'the goodbye of all clients');
    const leastMs = performance.now() + 2 * RETENTION_MS;
    const mostMs = performance.now() + REST_MS;
    await sleep(enough === 0 ? leastMs - performance.now() : RETENTION_MS);
    for (;;) {
      const memoryBytes = await this.broker.memoryBytes();
      if (memoryBytes === undefined || enough === 0 || memoryBytes <= enough || performance.now() > mostMs)
        return memoryBytes;
      await sleep(1_000);
    }
  }
}

/** @param {Run} run @param {number} requests @param {readonly Holding[]} holdings */
function report(run, requests, holdings) {
  const facts = {
    requests,
    seed: run.seed,
    durationMs: performance.now() - run.beganAt,
    brokerEnd: run.crashed,
    errors: run.broker.errors().slice(0, 20),
    goodClientFailures: run.goodClientFailures.slice(0, 5),
    goodClients: run.goodClients,
    memoryBeforeBytes: run.memoryBeforeBytes,
    memoryAfterBytes: run.memoryAfterBytes,
    busiest: run.busiest,
    yardstickCpuMs: run.yardstickCpuMs,
    holdings,
    gaps: run.coverage.gaps(),
    faults: [...run.coverage.faults].slice(0, 20),
  };
  for (const line of run.coverage.table()) print(line);
  const broken = violations(facts);
  for (const violation of broken) process.stderr.write(`${violation}\n`);
  if (run.crashed !== undefined) process.stderr.write(`${run.broker.log.slice(-4_000)}\n`);
  print(summary(facts));
  if (broken.length > 0) process.exitCode = 1;
}

/** @param {unknown} error */
function describe(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`[fuzz] ${line}\n`);
}

await main();
// What was left of broken connections is nobody's business any more.
process.exit();
