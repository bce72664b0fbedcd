// Customers who order, pay, cancel and forget concurrently, and one that probes whether traffic flows again.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from './facts.js';
import { type Intent, intentsOf, PLENTY } from './intents.js';
import type { Shop } from './shop.js';

const CUSTOMERS = 4;
const LOOK_EVERY_MS = 120;
/** How long a customer waits for the reservation. */
const TIMEOUT_MS = 4_000;
const AFTER_FAILURE_MS = 150;
/** As the demos are configured. */
const PAYMENT_TIMEOUT_MS = 5_000;
/** The interval of the probing customer, and its maximum of open orders, so that its orders do not become a backlog. */
const TRY_EVERY_MS = 400;
const MAX_TRIES = 4;
const PROBER = CUSTOMERS;

export class Customers {
  private isOver = false;
  /** Open requests of the probing customer. */
  private readonly attempts = new Set<Promise<void>>();
  private readonly all: Promise<unknown>;

  constructor(
    private readonly shop: Shop,
    seed: number,
  ) {
    this.all = Promise.all(Array.from({ length: CUSTOMERS }, (_, customer) => this.live(seed, customer)));
    // Reported by stop().
    this.all.catch(() => {});
  }

  /** Resolves when all customers have finished. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all([this.all, ...this.attempts]);
  }

  /**
   * Places orders until the first of them is reserved.
   * @param signal cancels
   * @returns the time, by performance.now(); undefined if it took longer than `timeoutMs`
   */
  async flows(timeoutMs: number, signal: AbortSignal): Promise<number | undefined> {
    let reservedAtMs: number | undefined;
    const attempt = async (): Promise<void> => {
      const id = await this.shop.place(PROBER, PLENTY[0], 1);
      if (id === undefined || reservedAtMs !== undefined) return;
      if ((await this.statusOf(PROBER, id)) === 'PENDING_PAYMENT') reservedAtMs ??= performance.now();
    };
    const lastTryAtMs = performance.now() + timeoutMs;
    while (reservedAtMs === undefined && performance.now() < lastTryAtMs && !signal.aborted) {
      if (this.attempts.size < MAX_TRIES) {
        const one = attempt().finally(() => this.attempts.delete(one));
        this.attempts.add(one);
      }
      await sleep(TRY_EVERY_MS);
    }
    return reservedAtMs;
  }

  private async live(seed: number, customer: number): Promise<void> {
    for (const intent of intentsOf(seed, customer)) {
      if (this.isOver) return;
      const id = await this.shop.place(customer, intent.sku, intent.quantity);
      if (id === undefined) await sleep(AFTER_FAILURE_MS);
      else await this.pursue(customer, id, intent, Date.now());
      await sleep(intent.pauseMs);
    }
  }

  private async pursue(customer: number, id: string, { plan, pauseMs }: Intent, placedAtMs: number): Promise<void> {
    if (plan === 'cancel-at-once') {
      await this.shop.cancel(customer, id);
      return;
    }
    if (plan === 'leave') return;
    if ((await this.statusOf(customer, id)) !== 'PENDING_PAYMENT') return;
    await sleep(plan === 'pay-late' ? Math.max(0, placedAtMs + PAYMENT_TIMEOUT_MS - Date.now() - 50) : pauseMs);
    await Promise.all(this.act(customer, id, plan));
    await this.shop.look(customer, id);
  }

  private act(customer: number, id: string, plan: Intent['plan']): Promise<unknown>[] {
    const pay = () => this.shop.pay(customer, id);
    const cancel = () => this.shop.cancel(customer, id);
    if (plan === 'cancel') return [cancel()];
    if (plan === 'pay-twice') return [pay(), pay()];
    return plan === 'pay-and-cancel' ? [pay(), cancel()] : [pay()];
  }

  /** Waits until an order no longer waits for its stock, and returns its state; undefined if that takes too long. */
  private async statusOf(customer: number, id: string): Promise<Status | undefined> {
    for (const lastLookAtMs = Date.now() + TIMEOUT_MS; Date.now() < lastLookAtMs; ) {
      const status = await this.shop.look(customer, id);
      if (status !== undefined && status !== 'PENDING_STOCK') return status;
      await sleep(LOOK_EVERY_MS);
    }
    return undefined;
  }
}
