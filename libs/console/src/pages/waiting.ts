// What waits in the brokers: delayed messages, transactions, and what consumers hold.

import type { DelayedMessageState, MessageState, PageOptions } from 'nestjs-rocketmq/broker';
import type { Redaction } from '../access/redaction.js';
import { CONTROL_MS, controlOf, DEFAULT_PAGE, MAX_ITEMS, noRecallAt, type PageContext, Parts } from './context.js';
import { Query } from './queries.js';

const MINUTE_MS = 60_000;
/** How long a calendar is counted; then it is partial. */
const COUNTING_MS = 3_000;
const MAX_PAGES = 20;
const MAX_PAGE_SIZE = 500;

export async function delayed(context: PageContext): Promise<object> {
  const { admin, redaction, request } = context;
  const query = new Query(request);
  const { signal } = request;
  const wanted = {
    limit: query.count('limit', MAX_ITEMS, MAX_ITEMS),
    after: query.text('after'),
    topic: query.text('topic'),
  };
  if (context.source.control === undefined) {
    const page = await admin.delayedMessages({ ...wanted, signal });
    const noRecall = await noRecallAt(context, page.messages);
    return { ...page, noRecall, messages: page.messages.map((one) => redaction.short(one)) };
  }
  // By the broker's own clock, which may have been moved, and with those of clients of the older protocol.
  const [aheadMs, page, brokers] = await Promise.all([
    context.time.offsetMs(),
    controlOf(context).delayed({ ...wanted, signal, timeoutMs: CONTROL_MS }),
    admin.brokers({ signal }),
  ]);
  const broker = brokers[0]?.name ?? '';
  const messages = page.items.map((one) => shownDelayed(redaction, one, { broker, aheadMs }));
  return { messages, next: page.next, failures: [], noRecall: await noRecallAt(context, messages) };
}

function shownDelayed(
  redaction: Redaction,
  state: DelayedMessageState,
  { broker, aheadMs }: { readonly broker: string; readonly aheadMs: number },
) {
  return {
    ...redaction.state(state, broker, aheadMs),
    originTopic: state.topic,
    dueTimestampMs: state.dueAtMs - aheadMs,
    recallHandle: state.recallHandle,
  };
}

/** How many messages are due in each minute. */
export async function delayedCalendar(context: PageContext): Promise<object> {
  const { admin, request, source } = context;
  const topic = new Query(request).text('topic');
  const endMs = source.monotonicMs() + COUNTING_MS;
  const byMinute = new Map<number, number>();
  const failures = new Map<string, { readonly name: string; readonly error: Error }>();
  let total = 0;
  let after: string | undefined;
  let pages = 0;
  do {
    const { times, next, away } = await dueTimes(context, { topic, after });
    for (const failure of away) failures.set(failure.name, failure);
    for (const atMs of times) {
      const minute = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
      byMinute.set(minute, (byMinute.get(minute) ?? 0) + 1);
    }
    total += times.length;
    after = next;
    pages++;
  } while (after !== undefined && pages < MAX_PAGES && source.monotonicMs() < endMs);
  const sorted = [...byMinute].sort(([left], [right]) => left - right).map(([atMs, count]) => ({ atMs, count }));
  const isPartial = after !== undefined || failures.size > 0;
  return { byMinute: sorted, total, isPartial, failures: [...failures.values()] };

  async function dueTimes(
    from: PageContext,
    part: { readonly topic: string | undefined; readonly after: string | undefined },
  ) {
    const { signal } = from.request;
    if (source.control === undefined) {
      const page = await admin.delayedMessages({ ...part, limit: MAX_ITEMS, signal });
      const times = page.messages.map(({ dueTimestampMs }) => dueTimestampMs);
      return { times, next: page.next, away: page.failures };
    }
    const options: PageOptions & { topic?: string } = { ...part, limit: MAX_PAGE_SIZE, signal, timeoutMs: CONTROL_MS };
    const [aheadMs, page] = await Promise.all([from.time.offsetMs(), controlOf(from).delayed(options)]);
    return { times: page.items.map(({ dueAtMs }) => dueAtMs - aheadMs), next: page.next, away: [] };
  }
}

export async function transactions(context: PageContext): Promise<object> {
  const { admin, redaction, request, source, time } = context;
  const query = new Query(request);
  const { signal } = request;
  const options = { limit: query.count('limit', DEFAULT_PAGE, MAX_ITEMS), after: query.text('after') };
  const parts = new Parts();
  const [aheadMs, page, open] = await Promise.all([
    time.offsetMs(),
    parts.of('half messages that were given up', admin.givenUpHalfMessages({ ...options, signal }), undefined),
    parts.of(
      'open transactions',
      async () => source.control?.().halfMessages({ limit: MAX_ITEMS, signal, timeoutMs: CONTROL_MS }),
      undefined,
    ),
  ]);
  return {
    open: open?.items.map(({ nextCheckAtMs, ...half }) => ({
      ...redaction.state(half as MessageState, '', aheadMs),
      checks: half.checks,
      transactionId: half.transactionId,
      nextCheckMs: nextCheckAtMs - aheadMs,
    })),
    openMore: open?.next !== undefined,
    messages: page?.messages.map((one) => redaction.short(one)) ?? [],
    next: page?.next,
    failures: [...(page?.failures ?? []), ...parts.problems],
  };
}

export async function inFlight(context: PageContext): Promise<object> {
  const query = new Query(context.request);
  const { signal } = context.request;
  const aheadMs = await context.time.offsetMs();
  const page = await controlOf(context).inFlight({
    topic: query.text('topic'),
    group: query.text('group'),
    limit: query.count('limit', MAX_ITEMS, MAX_PAGE_SIZE),
    after: query.text('after'),
    signal,
    timeoutMs: CONTROL_MS,
  });
  return { deliveries: page.items.map((one) => ({ ...one, atMs: one.atMs - aheadMs })), next: page.next };
}

export async function faults(context: PageContext): Promise<object> {
  return { faults: await controlOf(context).faults({ signal: context.request.signal, timeoutMs: CONTROL_MS }) };
}
