// Hostile requests to an embedded broker in a process of its own. The run fails when the broker crashes, no longer serves a good client,
// works on a request for too long, keeps memory, holds too much for callers that finish nothing, or an RPC was not reached behind its
// checks. The same seed and number of requests send the same.

import { setTimeout as sleep } from 'node:timers/promises';
import { build } from '../../scripts/build/build.js';
import { within } from '../../tools/process/within.js';
import { seededRandom } from '../../tools/random.js';
import { type Counts, type Tools, verdictOf } from '../check.js';
import { newSeed } from '../options.js';
import { Attacker, type OnAnswer } from './attacker.js';
import { Coverage, outcomeOf } from './coverage.js';
import { Flights } from './flights.js';
import { FuzzedBroker } from './fuzzed-broker.js';
import { GOOD_GROUP, GOOD_TOPIC, serveGoodClient } from './good-client.js';
import { hostileRequest } from './hostile-requests.js';
import { FUZZ_GROUPS, FUZZ_TOPICS, Recorder } from './recording.js';
import { UnfinishedCallers, unfinishedRequests } from './unfinished-requests.js';
import { type Holding, MAX_GROWTH_BYTES, MAX_HELD_BYTES, type RunFacts, summary, violations } from './verdict.js';

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
const TIMEOUT_MS = 20_000;
const CONFIG = {
  retentionMs: RETENTION_MS,
  recallEnabled: true,
  transactionFirstCheckMs: 500,
  transactionCheckIntervalMs: 500,
  transactionCheckMax: 3,
};
const DECLARED = { topics: [...FUZZ_TOPICS, GOOD_TOPIC], groups: [...FUZZ_GROUPS, GOOD_GROUP] };
/** Requests that are named when the broker was busy for too long. */
const MAX_NAMED = 20;
/** Times the callers come that finish no request. */
const UNFINISHED_TIMES = 2;
const LONG_UNFINISHED_TIMES = 20;
const GOOD_USER = { accessKey: 'good', secretKey: 'the key of a good client', isSuper: true };

interface FuzzValues {
  readonly long: boolean;
  readonly requests: number | undefined;
  readonly seed: number | undefined;
}

export async function runFuzz(values: FuzzValues, tools: Tools): Promise<Counts> {
  const { long, requests = long ? LONG_REQUESTS : REQUESTS, seed = newSeed() } = values;
  await build({ names: ['nestjs-rocketmq'] });
  tools.print(`seed ${seed}, ${requests} requests`);
  const broker = await FuzzedBroker.start(CONFIG, DECLARED, tools.folder);
  const run = new Run(broker, seed, tools);
  const times = long ? LONG_UNFINISHED_TIMES : UNFINISHED_TIMES;
  const holdings: Holding[] = [];
  try {
    await run.all(requests);
    holdings.push(await heldUnfinished(broker, 'without users', MAX_HELD_BYTES.withoutUsers, run, times));
  } finally {
    await broker.stop();
  }
  const secured = await FuzzedBroker.start({ ...CONFIG, users: [GOOD_USER] }, DECLARED, tools.folder);
  try {
    holdings.push(await heldUnfinished(secured, 'with users', MAX_HELD_BYTES.withUsers, run, times));
  } finally {
    await secured.stop();
  }
  return verdictOf(isSound(run, requests, holdings));
}

/**
 * What a broker holds for callers who finish none of their requests, and have no keys. A good client is served all the same.
 * @throws Error when the run is stopped
 */
async function heldUnfinished(
  broker: FuzzedBroker,
  name: string,
  maxBytes: number,
  run: Run,
  times: number,
): Promise<Holding> {
  const before = (await broker.memoryBytes()) ?? 0;
  let heldBytes = 0;
  const { signal } = run.tools;
  for (let time = 0; time < times && broker.end === undefined && !signal.aborted; time++) {
    const callers = new UnfinishedCallers(broker.ports);
    try {
      const begun = callers.begin(unfinishedRequests(run.seed + time));
      await run.goodClient(broker);
      await within(begun, TIMEOUT_MS, 'to begin requests');
      await run.goodClient(broker);
      heldBytes = Math.max(heldBytes, ((await broker.memoryBytes()) ?? Number.POSITIVE_INFINITY) - before);
    } catch (error) {
      run.goodClientFailures.push(describe(error));
    } finally {
      callers.close();
    }
  }
  signal.throwIfAborted();
  run.crashed ??= broker.end;
  return { broker: name, heldBytes, maxBytes };
}

/** Rounds of requests, and what was seen. */
class Run {
  readonly coverage = new Coverage();
  goodClients = 0;
  readonly goodClientFailures: string[] = [];
  memoryBeforeBytes = 0;
  memoryAfterBytes: number | undefined;
  crashed: string | undefined;
  /** The longest that the broker worked at a stretch, and what it was asked then. */
  busiest: RunFacts['busiest'] = { cpuMs: 0, requests: [] };
  yardstickCpuMs = 0;
  readonly beganAt = performance.now();
  private readonly flights = new Flights();
  private sent = 0;
  private readonly recorder: Recorder;
  private readonly attackers: readonly Attacker[];

  constructor(
    readonly broker: FuzzedBroker,
    readonly seed: number,
    readonly tools: Tools,
  ) {
    this.recorder = new Recorder(broker.ports.clients);
    const onAnswer: OnAnswer = (rpc, answer) => this.coverage.add(rpc, outcomeOf(rpc, answer));
    this.attackers = Array.from({ length: ATTACKERS }, (_, index) => {
      return new Attacker(broker.ports, seededRandom(seed + index), onAnswer);
    });
  }

  /** @throws Error when the run is stopped */
  async all(requests: number): Promise<void> {
    try {
      for (let round = 0; round < WARM_UP_ROUNDS; round++) await this.round(ROUND);
      this.memoryBeforeBytes = (await this.memoryAtRest(0)) ?? 0;
      this.sent = 0;
      this.yardstickCpuMs = (await this.broker.yardstickCpuMs()) ?? 0;
      this.busiest = { cpuMs: 0, requests: [] };
      for (let round = 1; this.sent < requests && this.broker.end === undefined; round++) {
        await this.round(Math.min(ROUND, requests - this.sent));
        if (round % 10 === 0) this.tools.print(`${this.sent} requests, ${this.goodClients} good clients served`);
      }
      this.memoryAfterBytes = await this.memoryAtRest(this.memoryBeforeBytes + MAX_GROWTH_BYTES);
    } catch (error) {
      this.tools.signal.throwIfAborted();
      this.goodClientFailures.push(describe(error));
    } finally {
      for (const attacker of this.attackers) attacker.close();
      this.crashed = this.broker.end;
    }
  }

  private async round(requests: number): Promise<void> {
    this.tools.signal.throwIfAborted();
    this.flights.clear();
    await this.broker.busiest();
    const recording = await within(this.recorder.record(), TIMEOUT_MS, 'recording an exchange');
    const end = this.sent + requests;
    const attack = async (attacker: Attacker): Promise<void> => {
      while (this.sent < end && this.broker.end === undefined) {
        const number = this.sent++;
        const request = hostileRequest({ seed: this.seed, recording }, number);
        const ended = this.flights.begin(number, request);
        await attacker.send(request);
        ended();
      }
    };
    const attacks = Promise.all(this.attackers.map(attack));
    await this.goodClient(this.broker);
    await within(attacks, TIMEOUT_MS, 'a round of requests');
    await this.lookAtWork();
  }

  private async lookAtWork(): Promise<void> {
    const busiest = await this.broker.busiest();
    if (busiest === undefined || busiest.cpuMs <= this.busiest.cpuMs) return;
    const requests = this.flights.during(busiest.fromMs, busiest.toMs).slice(0, MAX_NAMED);
    this.busiest = { cpuMs: busiest.cpuMs, requests };
  }

  async goodClient(broker: FuzzedBroker): Promise<void> {
    try {
      await serveGoodClient(broker.ports.clients, this.goodClients, GOOD_USER);
      this.goodClients++;
    } catch (error) {
      this.goodClientFailures.push(describe(error));
    }
  }

  /** Everybody leaves; then what is held, as soon as it is not more than `enough`, or the time for it is over. */
  private async memoryAtRest(enough: number): Promise<number | undefined> {
    const { signal } = this.tools;
    for (const attacker of this.attackers) attacker.close();
    await within(this.recorder.close(), TIMEOUT_MS, 'the goodbye of all clients');
    const minEndMs = performance.now() + 2 * RETENTION_MS;
    const maxEndMs = performance.now() + REST_MS;
    await sleep(enough === 0 ? minEndMs - performance.now() : RETENTION_MS, undefined, { signal });
    for (;;) {
      const memoryBytes = await this.broker.memoryBytes();
      if (memoryBytes === undefined || enough === 0 || memoryBytes <= enough || performance.now() > maxEndMs)
        return memoryBytes;
      await sleep(1_000, undefined, { signal });
    }
  }
}

/** Also prints the report. */
function isSound(run: Run, requests: number, holdings: readonly Holding[]): boolean {
  const { print } = run.tools;
  const facts: RunFacts = {
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
  return broken.length === 0;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
