// A run on one backend, from the start of its processes to its facts.

import { setTimeout as sleep } from 'node:timers/promises';
import { takePortBlock } from '../../tools/ports.js';
import { Customers } from './customers.js';
import { type DatabaseName, openDatabases } from './databases.js';
import { Demos } from './demos.js';
import { APPS, type ChaosFacts } from './facts.js';
import { type InjectedFaults, injectAll } from './fault-injection.js';
import { type FaultGroup, planOf } from './fault-plan.js';
import { type Backend, startServer, type Victim, victimOf } from './servers.js';
import { Settlement } from './settlement.js';
import { read, Shop } from './shop.js';

/** The time in which every order must end after the last fault. */
const SETTLED_MS = 60_000;
/** The minimum duration of traffic per round, even if the faults end earlier. */
const ROUND_MS = 60_000;

export interface RunOptions {
  readonly backend: Backend;
  /** Of a real server. */
  readonly version: string;
  readonly database: DatabaseName;
  readonly seed: number;
  /** The number of rounds, about a minute each. */
  readonly rounds: number;
  readonly withLongStops: boolean;
  /** The folder for data and logs. */
  readonly folder: string;
  readonly log: (line: string) => void;
  /** Aborts the run, which stops everything before it rejects. */
  readonly signal: AbortSignal;
}

/** The result of a run. */
export interface RunResult {
  readonly faultGroups: readonly FaultGroup[];
  readonly injected: readonly InjectedFaults[];
  readonly facts: ChaosFacts;
  /** What did not settle in time. */
  readonly open: readonly string[];
  /** Processes that ended unexpectedly. */
  readonly lost: readonly string[];
  readonly settledAfterMs: number;
}

export async function run({
  backend,
  version,
  database,
  seed,
  rounds,
  withLongStops,
  folder,
  log,
  signal,
}: RunOptions): Promise<RunResult> {
  const lost: string[] = [];
  const ends: (() => Promise<void>)[] = [];
  const onLost = (how: string): void => {
    lost.push(how);
    log(`ended by itself: ${how}`);
  };
  const ports = await takePortBlock();
  ends.push(() => ports.release());
  try {
    const server = await startServer(backend, { version, folder, port: ports.first, onLost, log });
    ends.push(() => server.stop());
    const databases = await openDatabases(database, folder);
    ends.push(() => databases.stop());
    const victims = [...server.victims, ...databases.victims];
    const own = [1, 2, 3, 4, 5, 6, 7, 8].map((offset) => ports.first + offset);
    const demos = await Demos.make({ folder, onLost, server, databases, ports: own });
    ends.push(() => demos.kill());
    await demos.start();
    signal.throwIfAborted();
    log(`${backend} and ${database}: all is started`);
    const totals = await totalsOf(demos.inventoryUrl, signal);
    const faultGroups = planOf(breakable(victims), { seed, rounds, withLongStops });
    const traffic = await underTraffic({ seed, rounds, demos, victims, faultGroups, log, signal });
    signal.throwIfAborted();
    await demos.terminate();
    const facts = { totals, calls: traffic.calls, ...(await databases.read()) };
    return { faultGroups, facts, lost, ...traffic };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

interface Traffic {
  readonly seed: number;
  readonly rounds: number;
  readonly demos: Demos;
  readonly victims: readonly Victim[];
  readonly faultGroups: readonly FaultGroup[];
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

async function underTraffic({ seed, rounds, demos, victims, faultGroups, log, signal }: Traffic) {
  const shop = new Shop(demos.orderUrl, signal);
  const settlement = new Settlement(demos.orderUrl, demos.inventoryUrl, signal);
  settlement.follow();
  const customers = new Customers(shop, seed);
  const lastOrderAtMs = performance.now() + rounds * ROUND_MS;
  const all = [...victims, ...[...demos.programs.values()].map(victimOf)];
  try {
    const injected = await injectAll(faultGroups, {
      victims: new Map(all.map((victim) => [victim.name, victim])),
      links: demos.links,
      flows: (...wait) => customers.flows(...wait),
      log,
      signal,
    });
    await sleep(Math.max(0, lastOrderAtMs - performance.now()), undefined, { signal });
    await settlement.enoughEnds(rounds, rounds * ROUND_MS);
    await customers.stop();
    const beganAtMs = performance.now();
    const open = await settlement.settled(shop.calls, SETTLED_MS);
    return { injected, open, calls: shop.calls, settledAfterMs: performance.now() - beganAtMs };
  } finally {
    await Promise.all([customers.stop(), settlement.stop()]);
  }
}

function breakable(victims: readonly Victim[]) {
  const apps = APPS.map((name) => [name, ['kill', 'stop', 'restart']] as const);
  return { processes: new Map([...victims.map(({ name, faults }) => [name, faults] as const), ...apps]), links: APPS };
}

async function totalsOf(inventoryUrl: string, signal: AbortSignal): Promise<Map<string, number>> {
  const stock = await read<{ readonly sku: string; readonly total: number }[]>(`${inventoryUrl}/stock`, signal);
  if (stock === undefined) throw new Error('inventory-demo does not show its stock');
  return new Map(stock.map(({ sku, total }) => [sku, total]));
}
