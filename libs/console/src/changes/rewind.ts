// Moves a group in a topic to the offsets that its plan has shown: what arrives between plan and execution is not skipped.

import type { PlannedMove, RewindTarget } from 'nestjs-rocketmq/admin';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRejection } from '../http/exchange.js';
import { inTurns, type PageContext } from '../pages/context.js';
import { type Fields, MAX_DATE_MS, wrong } from './fields.js';
import { assertOrdinary } from './send.js';

/** How long each move may take. */
const MOVE_MS = 15_000;

export async function planRewind({ admin, request }: PageContext, fields: Fields): Promise<Change> {
  const [consumerGroup, topic] = [fields.text('consumerGroup'), fields.text('topic')];
  const to = targetIn(fields);
  fields.end();
  assertOrdinary(topic);
  const asked = { consumerGroup, topic, to };
  const moves = await admin.planRewind(asked, { signal: request.signal });
  const move = async (one: PlannedMove, now: readonly PlannedMove[], signal: AbortSignal): Promise<Moved> => {
    const { broker, queueId, to: offset } = one;
    const from = now.find((other) => other.broker === broker && other.queueId === queueId)?.from;
    // It has come further by itself since the plan, which was not to go back: then it stays where it is.
    const isBack = to.kind === 'beginning' || (one.from ?? 0) > offset;
    if (from !== undefined && from >= offset && !isBack) return { broker, queueId, from, to: from };
    // Somebody has set it back since: what it is to receive again would be skipped, which the plan did not show.
    if (from !== undefined && from < offset && from < (one.from ?? from))
      return { broker, queueId, from, to: undefined, error: setBack() };
    try {
      const target = { kind: 'offset', broker, queueId, offset } as const;
      await admin.rewindGroup({ consumerGroup, topic, to: target }, { signal, timeoutMs: MOVE_MS });
      return { broker, queueId, from, to: offset };
    } catch (error) {
      return { broker, queueId, from, to: undefined, error };
    }
  };
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    const now = await admin.planRewind(asked, { signal });
    const moved = await inTurns(moves, (one) => move(one, now, signal));
    const failed = moved.filter(({ to: reached }) => reached === undefined);
    if (failed.length === moves.length && failed[0] !== undefined) throw failed[0].error;
    const parts = [`${moved.length - failed.length} queues moved: ${distanceOf(moved)}`];
    if (failed.length > 0) parts.push(`${failed.length} queues were not moved: ${messagesOf(failed)}`);
    return { outcome: failed.length === 0 ? 'done' : 'partly', text: parts.join('; '), details: { moved } };
  };
  const target = { consumerGroup, to: to.kind, ...(to.kind === 'time' && { time: to.time.toISOString() }) };
  const exclusive = [`rewind of ${consumerGroup}`];
  return { action: 'rewind', target, topics: [topic], preview: { moves }, exclusive, run };
}

function setBack(): ConsoleRejection {
  return new ConsoleRejection(409, 'SET_BACK', 'the group was set back since the plan; it was not moved; plan again');
}

interface Moved {
  readonly broker: string;
  readonly queueId: number;
  readonly from: number | undefined;
  /** Undefined when the queue was not moved. */
  readonly to: number | undefined;
  readonly error?: unknown;
}

function targetIn(fields: Fields): Exclude<RewindTarget, { kind: 'offset' }> {
  const kind = fields.text('to');
  if (kind === 'beginning' || kind === 'end') return { kind };
  if (kind === 'time') return { kind, time: new Date(fields.count('timeMs', 0, MAX_DATE_MS)) };
  throw wrong('to must be beginning, end or time');
}

function distanceOf(moved: readonly Moved[]): string {
  let [redelivered, skipped] = [0, 0];
  for (const { from = 0, to = from } of moved) {
    if (to < from) redelivered += from - to;
    else skipped += to - from;
  }
  return `${redelivered} messages are delivered again, ${skipped} are skipped`;
}

function messagesOf(failed: readonly Moved[]): string {
  return [...new Set(failed.map(({ error }) => (error instanceof Error ? error.message : String(error))))].join('; ');
}
