// One setup from its start to its end: processes, warm-up, the comparison at one rate, the search for the highest, the check.

import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Ending } from '../../../scripts/demo/demo-client.js';
import { machineCpuMicros, treeCpuMicros } from '../lib/process-usage.mjs';
import { orderAtRate, orderInLoops, type Placed, type Till } from './arrivals.js';
import type { Backend } from './backends.js';
import type { Databases } from './databases.js';
import { type Demo, type Profiles, startDemo } from './demo.js';
import { type Cost, type CpuTimes, costOf, type Figures, figuresOf } from './figures.js';
import type { LoadPlan, Setup } from './plan.js';
import { searchRate } from './rate-search.js';
import { endingsOf, lastIsDone } from './settling.js';
import { Shop } from './shop.js';
import { violationsOf } from './violations.js';

/** More than is ever ordered. */
const PIECES = 1_000_000;
/** Of what was done at full load, while there was a backlog: the first rate that is tried. */
const FIRST_SHARE = 0.8;

export type Tried = Figures & Cost & { rate: number };

export interface SetupResult {
  /** At the rate that is the same for all. */
  compared: Tried;
  /** The highest rate that was sustained; undefined when none was. */
  best: Tried | undefined;
  /** Whether a higher one was tried. */
  isHighest: boolean;
  tries: readonly Tried[];
  /** At the rate that is the same for all, in a try of its own, which costs more. */
  profiles?: Profiles;
  violations: readonly string[];
}

export async function runSetup(
  { name, instances, isCold }: Setup & { name: string; isCold: boolean },
  plan: LoadPlan,
  {
    backend,
    databases,
    home,
    log,
    signal,
  }: { backend: Backend; databases: Databases; home: string; log: (line: string) => void; signal: AbortSignal },
): Promise<SetupResult> {
  const folder = join(home, name);
  mkdirSync(folder);
  const products = Array.from({ length: plan.products }, (_, index) => ({ sku: `product-${index}`, quantity: PIECES }));
  const broker = await backend.take(folder);
  try {
    const own = await databases.create(name, home);
    const demo = await startDemo({
      endpoints: broker.endpoints,
      instances,
      isProfiled: plan.isProfiled,
      products,
      folder,
      databases: own,
    });
    const roots = { ...demo.pids, broker: broker.roots, database: databases.roots };
    // A process that ends by itself ends the measuring, too.
    const over = new AbortController();
    const run = new SetupRun(plan, { demo, roots, products, signal: AbortSignal.any([signal, over.signal]), log });
    try {
      const warmUpSeconds = isCold ? plan.coldSeconds : plan.warmUpSeconds;
      return await Promise.race([run.measure(warmUpSeconds), demo.failed, broker.failed]);
    } finally {
      over.abort();
      await demo.stop();
    }
  } finally {
    await broker.release();
  }
}

class SetupRun {
  #plan;
  #demo;
  #roots;
  #products;
  #signal;
  #log;
  #ordered = 0;
  #placed: Placed[] = [];
  #endings = new Map<string, Ending>();

  constructor(
    plan: LoadPlan,
    {
      demo,
      roots,
      products,
      signal,
      log,
    }: {
      demo: Demo;
      roots: Record<string, readonly number[]>;
      products: readonly { sku: string; quantity: number }[];
      signal: AbortSignal;
      log: (line: string) => void;
    },
  ) {
    this.#plan = plan;
    this.#demo = demo;
    this.#roots = Object.entries(roots).filter(([, pids]) => pids.length > 0);
    this.#products = products;
    this.#signal = signal;
    this.#log = log;
  }

  async measure(warmUpSeconds: number): Promise<SetupResult> {
    const { rate, clients, maxTries, isProfiled } = this.#plan;
    const full = await this.#attempt((till) => orderInLoops({ clients, seconds: warmUpSeconds }, till));
    this.#log(`  warm-up: ${full.orders} orders in loops of ${clients}, done at ${full.perSecond.toFixed(0)}/s`);
    const compared = { ...(await this.#atRate(rate)), rate };
    const profiles = isProfiled ? await this.#profiles(rate) : undefined;
    const start = Math.max(1, full.perSecond * FIRST_SHARE);
    const { best, isHighest, tries } = await searchRate({ start, maxTries }, (one) => this.#atRate(one));
    return { compared, best, isHighest, tries, profiles, violations: await this.#violations() };
  }

  async #atRate(rate: number) {
    const { seconds } = this.#plan;
    const one = await this.#attempt((till) => orderAtRate({ rate, seconds }, till));
    this.#log(`  ${lineOf(rate, one)}`);
    return one;
  }

  async #profiles(rate: number) {
    let profiles: Profiles = {};
    await this.#attempt(
      (till) => orderAtRate({ rate, seconds: this.#plan.seconds }, till),
      async (work) => {
        profiles = await this.#demo.profile(work);
      },
    );
    this.#log(`  ${rate}/s, profiled`);
    return profiles;
  }

  /** @param observe runs the orders, without the questions after them */
  async #attempt(
    order: (till: Till) => Promise<Placed[]>,
    observe: (work: () => Promise<void>) => Promise<void> = (work) => work(),
  ) {
    const { clients, limitMs } = this.#plan;
    const shop = new Shop({ orderUrl: this.#demo.orderUrl, inventoryUrl: this.#demo.inventoryUrl, clients });
    try {
      const before = this.#cpu();
      const beganAt = performance.now();
      const till = {
        place: (sku: string) => shop.place(sku),
        nextSku: () => this.#nextSku(),
        signal: this.#signal,
      };
      let placed: Placed[] = [];
      await observe(async () => {
        placed = await order(till);
        await lastIsDone(placed, shop, this.#signal);
      });
      const elapsedMs = performance.now() - beganAt;
      const after = this.#cpu();
      const ids = placed.flatMap(({ id }) => (id === undefined ? [] : [id]));
      const endings = await endingsOf(ids, shop, this.#signal);
      this.#placed.push(...placed);
      for (const [id, ending] of endings) this.#endings.set(id, ending);
      const figures = figuresOf({ placed, endings, limitMs });
      return { ...figures, ...costOf(before, after, { orders: figures.orders, elapsedMs }), ...errorIn(placed) };
    } finally {
      shop.close();
    }
  }

  #nextSku(): string {
    const product = this.#products[this.#ordered++ % this.#products.length];
    return String(product?.sku);
  }

  /** Nothing where there is no /proc. */
  #cpu(): CpuTimes {
    if (!existsSync('/proc/self/stat')) return { own: {}, machine: 0 };
    const { user, system } = process.cpuUsage();
    const measured = this.#roots.map(([name, pids]) => [name, treeCpuMicros(pids)]);
    return { own: { ...Object.fromEntries(measured), generator: user + system }, machine: machineCpuMicros() };
  }

  async #violations(): Promise<string[]> {
    const { orderUrl, inventoryUrl } = this.#demo;
    const shop = new Shop({ orderUrl, inventoryUrl, clients: 1 });
    try {
      const stock = await shop.stock();
      return violationsOf({ placed: this.#placed, endings: this.#endings, stock, products: this.#products });
    } finally {
      shop.close();
    }
  }
}

function errorIn(placed: readonly Placed[]) {
  const error = placed.find((one) => one.error !== undefined)?.error;
  return error === undefined ? {} : { error };
}

function lineOf(
  rate: number,
  { isSustained, postMs, reservedMs, doneMs, perSecond, failed, cores, error }: Figures & Cost & { error?: string },
): string {
  const busiest = Object.entries(cores).sort(([, one], [, other]) => other - one)[0];
  return [
    `${rate}/s ${isSustained ? 'sustained' : `not sustained (${perSecond.toFixed(0)}/s were done)`}`,
    `POST p50 ${postMs.p50.toFixed(0)} p99 ${postMs.p99.toFixed(0)} ms`,
    `reserved p50 ${reservedMs.p50.toFixed(0)} p99 ${reservedMs.p99.toFixed(0)} ms`,
    `done p99 ${doneMs.p99.toFixed(0)} ms`,
    ...(busiest === undefined ? [] : [`busiest ${busiest[0]} ${(100 * busiest[1]).toFixed(0)} % of a core`]),
    ...(failed === 0 ? [] : [`${failed} failed, as: ${error}`]),
  ].join(', ');
}
