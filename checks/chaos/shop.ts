// The HTTP client of both demos. Records every request with its answer, as defined in facts.ts.

import type { Answer, Call, Request, Status } from './facts.js';

/** A request that takes longer counts as unanswered. */
const ANSWER_MS = 5_000;

interface Answered {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export class Shop {
  /** Every request of a customer with its answer, sorted by the time of the answer. */
  readonly calls: Call[] = [];

  constructor(
    private readonly orderUrl: string,
    private readonly signal: AbortSignal,
  ) {}

  /** @returns the order's id; undefined if the answer has none */
  async place(customer: number, sku: string, quantity: number): Promise<string | undefined> {
    const call = await this.call(customer, { kind: 'place', sku, quantity }, 'POST', '/orders', { sku, quantity });
    return call.placedId;
  }

  pay(customer: number, orderId: string): Promise<Call> {
    return this.call(customer, { kind: 'pay', orderId }, 'POST', `/orders/${orderId}/pay`);
  }

  cancel(customer: number, orderId: string): Promise<Call> {
    return this.call(customer, { kind: 'cancel', orderId }, 'POST', `/orders/${orderId}/cancel`);
  }

  /** @returns undefined if there was no answer */
  async look(customer: number, orderId: string): Promise<Status | undefined> {
    const { answer } = await this.call(customer, { kind: 'look', orderId }, 'GET', `/orders/${orderId}`);
    return answer.kind === 'done' ? answer.status : undefined;
  }

  private async call(customer: number, request: Request, method: string, path: string, body?: object): Promise<Call> {
    const beganAtMs = Date.now();
    const outcome = await this.ask(method, path, body);
    const answer = 'kind' in outcome ? outcome : meaningOf(request.kind, outcome);
    const id = 'kind' in outcome || answer.kind !== 'done' ? undefined : String(outcome.body.id);
    const placedId = request.kind === 'place' ? id : undefined;
    const call: Call = { ...request, customer, beganAtMs, endedAtMs: Date.now(), answer, placedId };
    this.calls.push(call);
    return call;
  }

  private async ask(method: string, path: string, body?: object): Promise<Answered | Answer> {
    const signal = AbortSignal.any([this.signal, AbortSignal.timeout(ANSWER_MS)]);
    const headers = body === undefined ? undefined : { 'content-type': 'application/json' };
    try {
      const init = { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal };
      const response = await fetch(`${this.orderUrl}${path}`, init);
      return { status: response.status, body: (await response.json()) as Answered['body'] };
    } catch (error) {
      return isRejected(error) ? { kind: 'not-done' } : { kind: 'unknown' };
    }
  }
}

/** The connection was refused, so the request was not received. */
function isRejected(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return cause?.code === 'ECONNREFUSED';
}

function meaningOf(kind: Request['kind'], { status, body }: Answered): Answer {
  const wanted = kind === 'place' ? 201 : 200;
  if (status === wanted) return { kind: 'done', status: body.status as Status };
  if (status === 409 && kind !== 'place' && kind !== 'look') return { kind: 'conflict', status: body.status as Status };
  if (status === 503) {
    const isKnown = body.outcome === 'not-sent' || body.outcome === 'rejected';
    return { kind: isKnown ? 'not-done' : 'unknown' };
  }
  if (status === 500) return { kind: 'unknown' };
  return { kind: 'wrong', text: `${kind} was answered ${status}: ${JSON.stringify(body)}` };
}

/** GET without a record; undefined without a valid answer. */
export async function read<T>(url: string, signal: AbortSignal): Promise<T | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}
