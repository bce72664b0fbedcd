// npm run fuzz [-- --long] [-- --requests N] [-- --seed N]
// Hostile requests to an embedded broker in a process of its own: test/fuzz has what is sent. Fails with exit code 1 and says
// what broke when the broker crashes, no longer serves a good client, keeps memory, or an RPC was not reached behind its checks.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../test/crash/seeded-random.ts';
import { Attacker } from '../test/fuzz/attacker.ts';
import { Coverage, outcomeOf } from '../test/fuzz/coverage.ts';
import { GOOD_GROUP, GOOD_TOPIC, serveGoodClient } from '../test/fuzz/good-client.ts';
import { hostileRequest } from '../test/fuzz/hostile-requests.ts';
import { takesSeveralFaults } from '../test/fuzz/raw-connections.ts';
import { FUZZ_GROUPS, FUZZ_TOPICS, Recorder } from '../test/fuzz/recording.ts';
import { MOST_GROWTH_BYTES, summary, violations } from '../test/fuzz/verdict.ts';
import { build } from './build.mjs';
import { startEmbeddedBroker } from './lib/embedded-broker-process.mjs';
import { within } from './lib/within.mjs';

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
const ANSWER_MS = 10_000;
/** What the broker warns of when peers do not speak its protocol, or never end their transactions. */
const EXPECTED_LOG = /it does not speak remoting|half message dropped after its last check/;
const CONFIG = {
  retentionMs: RETENTION_MS,
  recallEnabled: true,
  transactionFirstCheckMs: 500,
  transactionCheckIntervalMs: 500,
  transactionCheckMax: 3,
};

async function main() {
  const { values } = parseArgs({
    options: { long: { type: 'boolean' }, requests: { type: 'string' }, seed: { type: 'string' } },
  });
  const requests = Number(values.requests ?? (values.long ? LONG_REQUESTS : REQUESTS));
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  if (!(Number.isInteger(requests) && requests > 0 && Number.isInteger(seed))) {
    throw new Error('--requests and --seed must be whole numbers');
  }
  await build({ names: ['nestjs-rocketmq'] });
  print(`seed ${seed}, ${requests} requests`);
  if (!takesSeveralFaults(process.versions.nghttp2)) {
    const { nghttp2 } = process.versions;
    print(`nghttp2 ${nghttp2} of this Node has CVE-2026-27135: no connection gets more than one broken HTTP/2 frame`);
  }
  const broker = await Broker.start();
  const run = new Run(broker, seed);
  try {
    await run.all(requests);
  } finally {
    await broker.stop();
  }
  report(run, requests);
}

/** The broker, and what can be seen of it from outside. */
class Broker {
  /** How it ended, before it was asked to. */
  end = /** @type {string | undefined} */ (undefined);
  log = '';

  static async start() {
    const broker = new Broker();
    const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
    const config = join(folder, 'broker.json');
    writeFileSync(config, JSON.stringify(CONFIG));
    const args = ['--port', '0', '--admin-port', '0', '--strict', '--config', config];
    for (const topic of [...FUZZ_TOPICS, GOOD_TOPIC]) args.push('--topic', topic);
    for (const group of [...FUZZ_GROUPS, GOOD_GROUP]) args.push('--group', group);
    const probe = pathToFileURL(join(import.meta.dirname, 'lib', 'memory-probe.mjs')).href;
    const onStderr = (text) => {
      broker.log += text;
    };
    try {
      broker.process = await startEmbeddedBroker(args, { execArgv: ['--expose-gc', '--import', probe], onStderr });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    broker.process.ended.then((end) => {
      broker.end ??= end;
    });
    return broker;
  }

  get ports() {
    return { clients: this.process.endpoints, admin: this.process.adminEndpoint };
  }

  /** What it holds after collection; undefined when it does not answer. @returns {Promise<number | undefined>} */
  memoryBytes() {
    const { child } = this.process;
    return new Promise((resolve) => {
      const timer = setTimeout(() => answer({}), ANSWER_MS);
      const answer = ({ memoryBytes }) => {
        clearTimeout(timer);
        child.off('message', answer);
        resolve(memoryBytes);
      };
      child.on('message', answer);
      if (!child.connected) answer({});
      else child.send({ asks: 'memory' });
    });
  }

  /** What it told as errors, without what hostile and careless peers cause by design. */
  errors() {
    const lines = this.log.split('\n').filter((line) => line !== '' && !EXPECTED_LOG.test(line));
    return lines.filter((line) => !/^(\s|\}|\{)/.test(line));
  }

  async stop() {
    this.end ??= '';
    await this.process.kill();
  }
}

/** Rounds of requests, and what was seen. */
class Run {
  coverage = new Coverage();
  goodClients = 0;
  goodClientFailures = /** @type {string[]} */ ([]);
  memoryBeforeBytes = 0;
  memoryAfterBytes = /** @type {number | undefined} */ (undefined);
  crashed = /** @type {string | undefined} */ (undefined);
  sent = 0;
  beganAt = performance.now();

  constructor(broker, seed) {
    this.broker = broker;
    this.seed = seed;
    this.recorder = new Recorder(broker.ports.clients);
    const onAnswer = (rpc, answer) => this.coverage.add(rpc, outcomeOf(rpc, answer));
    this.attackers = Array.from({ length: ATTACKERS }, (_, index) => {
      return new Attacker(broker.ports, seededRandom(seed + index), onAnswer);
    });
  }

  async all(requests) {
    try {
      for (let round = 0; round < WARM_UP_ROUNDS; round++) await this.round(ROUND);
      this.memoryBeforeBytes = (await this.memoryAtRest(0)) ?? 0;
      this.sent = 0;
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

  attackWith(recording) {
    return { seed: this.seed, recording, severalFaults: takesSeveralFaults(process.versions.nghttp2) };
  }

  async round(requests) {
    const recording = await within(this.recorder.record(), PATIENCE_MS, 'recording an exchange');
    const end = this.sent + requests;
    const attack = async (attacker) => {
      while (this.sent < end && this.broker.end === undefined) {
        await attacker.send(hostileRequest(this.attackWith(recording), this.sent++));
      }
    };
    const attacks = Promise.all(this.attackers.map(attack));
    await this.goodClient();
    await within(attacks, PATIENCE_MS, 'a round of requests');
  }

  async goodClient() {
    try {
      await serveGoodClient(this.broker.ports.clients, this.goodClients);
      this.goodClients++;
    } catch (error) {
      this.goodClientFailures.push(describe(error));
    }
  }

  /** Everybody leaves; then what is held, as soon as it is not more than `enough`, or the time for it is over. */
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

function report(run, requests) {
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
