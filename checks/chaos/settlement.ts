// Checks whether everything has settled, as far as both demos show it over HTTP.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, Status, StockFact } from './facts.js';
import { tooFewEnds } from './required-counts.js';
import { read } from './shop.js';

const LOOK_EVERY_MS = 400;

type OrderRow = { readonly id: string; readonly status: Status };
type OrderWithHistory = OrderRow & { readonly history: readonly { readonly what: string }[] };
type StepRow = { readonly id: number; readonly orderId: string; readonly what: string };

/** The required stock steps of an order, by its final state. */
const LAST_STEPS: Partial<Record<Status, readonly string[]>> = {
  PAID: ['sold'],
  CANCELED: ['returned', 'returned before the reservation', 'nothing to return'],
  REJECTED: ['rejected'],
};

/** The steps by which the stock answers an order, and the lines of the order that received the answer. */
const ANSWERS = ['reserved', 'rejected'];
const HEARD = /^stock (reserved|rejected)/;

/** Follows all orders and all steps of the stock while they come, so that none is missed in a list that is cut off. */
export class Settlement {
  private readonly statuses = new Map<string, Status>();
  private readonly steps = new Map<string, Set<string>>();
  /** Orders that are known to have heard of their stock. */
  private readonly heard = new Set<string>();
  private newestStep = 0;
  private stock: readonly StockFact[] | undefined;
  private looking: Promise<void> = Promise.resolve();
  private isOver = false;

  constructor(
    private readonly orderUrl: string,
    private readonly inventoryUrl: string,
    private readonly signal: AbortSignal,
  ) {}

  /** Looks from now on, until {@link stop}. */
  follow(): void {
    this.looking = (async () => {
      while (!this.isOver && !this.signal.aborted) {
        await this.look();
        await sleep(LOOK_EVERY_MS);
      }
    })();
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.looking;
  }

  /** Waits while there are too few orders of one end: customers on a slow machine need longer. Not forever: the verdict reports it then. */
  async enoughEnds(rounds: number, timeoutMs: number): Promise<void> {
    const lastLookAtMs = performance.now() + timeoutMs;
    while (tooFewEnds(this.statuses.values(), rounds).length > 0) {
      if (performance.now() > lastLookAtMs || this.signal.aborted) return;
      await sleep(LOOK_EVERY_MS);
    }
  }

  /**
   * Waits until everything has settled.
   * @returns what is open when the time is over; empty if everything has settled
   */
  async settled(calls: readonly Call[], timeoutMs: number): Promise<string[]> {
    await this.stop();
    const lastLookAtMs = performance.now() + timeoutMs;
    for (;;) {
      // A server assigns ids before commits, so a step may have appeared behind the newest one.
      this.newestStep = 0;
      await this.look();
      await this.lookAt([...this.unended(calls), ...this.unheard()]);
      const open = this.open(calls);
      if (open.length === 0 || performance.now() > lastLookAtMs || this.signal.aborted) return open;
      await sleep(LOOK_EVERY_MS);
    }
  }

  private async look(): Promise<void> {
    const orders = (await read<OrderRow[]>(`${this.orderUrl}/orders`, this.signal)) ?? [];
    for (const { id, status } of orders) this.statuses.set(id, status);
    this.stock = await read<StockFact[]>(`${this.inventoryUrl}/stock`, this.signal);
    for (;;) {
      const page = await read<StepRow[]>(`${this.inventoryUrl}/stock/history?after=${this.newestStep}`, this.signal);
      for (const { id, orderId, what } of page ?? []) {
        this.newestStep = Math.max(this.newestStep, id);
        this.steps.set(orderId, (this.steps.get(orderId) ?? new Set()).add(what));
      }
      if (page === undefined || page.length === 0) return;
    }
  }

  /** Those that the list does not reach any more, and those of which it does not show enough. */
  private async lookAt(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const order = await read<OrderWithHistory>(`${this.orderUrl}/orders/${id}`, this.signal);
      if (order === undefined) continue;
      this.statuses.set(id, order.status);
      if (order.history.some(({ what }) => HEARD.test(what))) this.heard.add(id);
    }
  }

  private unended(calls: readonly Call[]): string[] {
    const ids = new Set([...this.statuses.keys(), ...calls.flatMap(({ placedId }) => placedId ?? [])]);
    return [...ids].filter((id) => LAST_STEPS[this.statuses.get(id) ?? 'PENDING_STOCK'] === undefined);
  }

  /** Canceled orders without an answer yet, which may wait for a lease to end long after the stock was returned. */
  private unheard(): string[] {
    const isAnswered = (id: string) => ANSWERS.some((step) => this.steps.get(id)?.has(step));
    const canceled = [...this.statuses].filter(([, status]) => status === 'CANCELED').map(([id]) => id);
    return canceled.filter((id) => isAnswered(id) && !this.heard.has(id));
  }

  private open(calls: readonly Call[]): string[] {
    const unended = this.unended(calls).map((id) => `order ${id} is ${this.statuses.get(id) ?? 'unknown'}`);
    const unfinished = [...this.statuses].flatMap(([id, status]) => {
      const steps = this.steps.get(id) ?? new Set();
      const last = LAST_STEPS[status];
      return last === undefined || last.some((step) => steps.has(step))
        ? []
        : [`order ${id}: its stock is not ${last[0]}`];
    });
    const unheard = this.unheard().map((id) => `order ${id} has not heard of its stock`);
    const ofOrders = [...unended, ...unfinished, ...unheard];
    if (this.stock === undefined) return [...ofOrders, 'inventory-demo does not answer'];
    const reserved = this.stock.filter((one) => one.reserved > 0).map((one) => `${one.sku}: ${one.reserved} reserved`);
    return [...ofOrders, ...reserved];
  }
}
