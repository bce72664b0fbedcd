// Changes to this application, and to an embedded broker.

import type { ConnectionFault, FaultRule, TimeState } from 'nestjs-rocketmq/broker';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRejection } from '../http/exchange.js';
import { applicationOf, CONTROL_MS, controlOf, type PageContext } from '../pages/context.js';
import { type Fields, MAX_DATE_MS, wrong } from './fields.js';

const MAX_CONCURRENCY = 10_000;
/** A year: further jumps are mistakes. */
const MAX_JUMP_MS = 366 * 86_400_000;

/** Of this instance only, until it ends. */
export async function planListeners(context: PageContext, fields: Fields): Promise<Change> {
  const application = applicationOf(context);
  const listener = fields.text('listener');
  const change = fields.text('change');
  const concurrency = change === 'concurrency' ? fields.count('concurrency', 1, MAX_CONCURRENCY) : undefined;
  fields.end();
  const state = application.listeners().find(({ name }) => name === listener);
  if (state === undefined)
    throw new ConsoleRejection(404, 'NO_LISTENER', `this application has no listener ${listener}; nothing was changed`);
  const run = async (): Promise<ChangeResult> => {
    if (change === 'pause') application.pause(listener);
    else if (change === 'resume') application.resume(listener);
    else application.setConcurrency(listener, concurrency ?? 1);
    const now = application.listeners().find(({ name }) => name === listener);
    const text = change === 'concurrency' ? `concurrency is ${concurrency}` : `listener ${listener} is ${now?.status}`;
    return { outcome: 'done', text: `${text}, in this instance only`, details: { listener: now } };
  };
  if (!['pause', 'resume', 'concurrency'].includes(change)) throw wrong('change must be pause, resume or concurrency');
  const { topic, consumerGroup } = state;
  const target = {
    listener,
    consumerGroup,
    change,
    ...(concurrency !== undefined && { concurrency: String(concurrency) }),
  };
  const preview = { listener: state, instance: application.instance };
  return { action: 'listeners', target, topics: [topic], preview, run };
}

/** Adds the fault `rule`, or removes all with `clear`, or the one with `id`. The broker checks the rule. */
export async function planFaults(context: PageContext, fields: Fields): Promise<Change> {
  const control = controlOf(context);
  const isClear = fields.flag('clear');
  const id = fields.optionalCount('id', 0, Number.MAX_SAFE_INTEGER);
  const rule = fields.object('rule')?.rest();
  fields.end();
  if (isClear === (rule !== undefined) || (id !== undefined && !isClear))
    throw wrong('set either rule, or clear with the id of a fault or none');
  const options = { signal: context.request.signal, timeoutMs: CONTROL_MS };
  const active = await control.faults(options);
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    if (rule === undefined) {
      const left = await control.clearFaults(id, { signal });
      return { outcome: 'done', text: `${left.length} faults left`, details: { faults: left } };
    }
    const isForRpc = 'rpc' in rule || 'action' in rule;
    const added = isForRpc
      ? await control.addFault(rule as unknown as FaultRule, { signal })
      : await control.refuseConnections(rule as ConnectionFault, { signal });
    return { outcome: 'done', text: `fault ${added.id} added`, details: { fault: added } };
  };
  const target = rule === undefined ? { clear: String(id ?? 'all') } : targetOf(rule);
  return { action: 'faults', target, topics: [], preview: { rule, clear: isClear, id, faults: active }, run };
}

/** Each field of its own, so that a long one cannot hide another. */
function targetOf(rule: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 500);
  return Object.fromEntries(Object.entries(rule).map(([name, value]) => [name, text(value)]));
}

export async function planTime({ time: watch }: PageContext, fields: Fields): Promise<Change> {
  const { time } = watch;
  const state = await watch.read();
  if (time === undefined || state === undefined)
    throw new ConsoleRejection(404, 'NO_TIME', 'the time of this broker cannot be moved; nothing was changed');
  const toMs = targetIn(fields, state);
  const duringWork = fields.flag('duringWork');
  fields.end();
  if (toMs < state.nowMs) throw wrong('time moves forward only; to must be later than the time of the broker');
  if (toMs - state.nowMs > MAX_JUMP_MS) throw wrong('time moves at most a year at once');
  const due = state.due.filter(({ atMs }) => atMs <= toMs);
  const dueMore = state.dueMore && due.length === state.due.length;
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    try {
      // To the planned moment: what was next may have happened by itself.
      const now = await time.read({ signal });
      if (now !== undefined && now.nowMs >= toMs)
        return { outcome: 'done', text: 'the planned moment has come by itself; nothing was moved', details: now };
      const moved = await time.advance({ toMs, duringWork }, { signal });
      const text = `the time is ${new Date(moved.nowMs).toISOString()}; ${moved.passed} events were due on the way`;
      return { outcome: 'done', text, details: moved };
    } finally {
      watch.forget();
    }
  };
  const topics = [...new Set(due.map(({ topic }) => topic))].sort();
  return { action: 'time', target: { toMs: String(toMs) }, topics, preview: { toMs, due, dueMore }, run };
}

/** Milliseconds since 1970, by the clock of the broker. */
function targetIn(fields: Fields, state: TimeState): number {
  const byMs = fields.optionalCount('by', 1, MAX_JUMP_MS);
  const toMs = fields.optionalCount('to', 0, MAX_DATE_MS);
  const isNext = fields.flag('next');
  if ([byMs !== undefined, toMs !== undefined, isNext].filter(Boolean).length !== 1)
    throw wrong('set one of by, to and next');
  if (byMs !== undefined) return state.nowMs + byMs;
  if (toMs !== undefined) return toMs;
  const { nextDueAtMs } = state;
  if (nextDueAtMs === undefined)
    throw new ConsoleRejection(409, 'NOTHING_DUE', 'nothing waits for its time; nothing was changed');
  return Math.max(nextDueAtMs, state.nowMs);
}
