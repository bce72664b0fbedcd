// Changes to delayed messages that wait: they are canceled, or delivered now. What is found by topic and id is what is changed, so that nobody
// can name one message and change another.

import type { RecallableMessage } from 'nestjs-rocketmq/admin';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRejection } from '../http/exchange.js';
import { CONTROL_MS, controlOf, inTurns, MAX_ITEMS, type PageContext } from '../pages/context.js';
import { type Fields, wrong } from './fields.js';

const MAX_ID_LENGTH = 255;

/** A delayed message that waits. */
interface Waiting extends RecallableMessage {
  readonly messageId: string;
  /** Milliseconds since 1970, by the clock of the clients. */
  readonly dueAtMs: number;
}

export function planRecall(context: PageContext, fields: Fields): Promise<Change> {
  const recall = ({ broker, originTopic, recallHandle }: Waiting, signal: AbortSignal): Promise<void> =>
    context.admin.recallDelayed({ broker, originTopic, recallHandle }, { signal });
  const check = async (waiting: readonly Waiting[]): Promise<void> => {
    const [off] = await context.recall.offAt(waiting);
    if (off === undefined) return;
    const text = `broker ${off} does not cancel messages: it needs recallMessageEnable=true, or an embedded broker the option recallEnabled; nothing was changed`;
    throw new ConsoleRejection(409, 'RECALL_OFF', text);
  };
  return planEach(context, fields, { action: 'recall', done: 'canceled', check, change: recall, distinct: placeOf });
}

/** Of an embedded broker, before it is due. */
export function planDeliver(context: PageContext, fields: Fields): Promise<Change> {
  const control = controlOf(context);
  const deliver = async ({ originTopic: topic = '', messageId }: Waiting, signal: AbortSignal): Promise<void> => {
    await control.deliverNow({ topic, messageId }, { signal });
  };
  // All of an id at once.
  return planEach(context, fields, { action: 'deliver', done: 'delivered', change: deliver, distinct: () => '' });
}

interface Work {
  readonly action: 'recall' | 'deliver';
  readonly done: string;
  /** @throws ConsoleRejection when these cannot be changed here */
  check?(waiting: readonly Waiting[]): Promise<void>;
  change(one: Waiting, signal: AbortSignal): Promise<void>;
  /** Of the entries of one id: those with the same are changed together. */
  distinct(one: Waiting): string;
}

/** A server stores an entry again each time that its wheel has turned, and a send that was repeated twice. */
function placeOf({ broker, dueAtMs }: Waiting): string {
  return `${broker} ${dueAtMs}`;
}

/** What became of one id. */
interface Result {
  readonly messageId: string;
  readonly outcome: 'done' | 'gone' | 'unknown' | 'failed';
  readonly error?: unknown;
}

/** @throws ConsoleRejection when none of the messages waits */
async function planEach(context: PageContext, fields: Fields, work: Work): Promise<Change> {
  const { action } = work;
  const topic = fields.text('topic');
  const messageIds = [...new Set(fields.texts('messageIds', MAX_ITEMS) ?? [])];
  fields.end();
  if (messageIds.length === 0 || messageIds.some(({ length }) => length > MAX_ID_LENGTH))
    throw wrong(`messageIds must have from 1 to ${MAX_ITEMS} ids of at most ${MAX_ID_LENGTH} characters`);
  const { signal } = context.request;
  const [found, { consumerGroups }] = await Promise.all([
    inTurns(messageIds, (messageId) => waitingOf(context, topic, messageId)),
    context.admin.groupsOfTopic(topic, { signal }),
  ]);
  const isWaiting = (_: string, index: number): boolean => (found[index]?.length ?? 0) > 0;
  const waiting = messageIds.filter(isWaiting);
  const gone = messageIds.filter((id) => !waiting.includes(id));
  if (waiting.length === 0) throw notWaiting(topic, messageIds);
  await work.check?.(found.flat());
  const run = async (running: AbortSignal): Promise<ChangeResult> => {
    // Without the browser, which may have gone.
    const now = { ...context, request: { ...context.request, signal: running } };
    return resultOf(await inTurns(waiting, (messageId) => changed(now, work, topic, messageId)), work, topic);
  };
  const shown = found.flatMap((entries) => entries.at(-1) ?? []);
  const preview = {
    topic,
    waiting: shown.map(({ messageId, dueAtMs }) => ({ messageId, dueAtMs })),
    gone,
    consumerGroups,
  };
  return { action, target: { messageIds: waiting.join(' ') }, topics: [topic], preview, run };
}

/** Changes what waits still: a server accepts the recall of what it has delivered. */
async function changed(context: PageContext, work: Work, topic: string, messageId: string): Promise<Result> {
  try {
    const entries = await waitingOf(context, topic, messageId);
    const distinct = new Map(entries.map((one) => [work.distinct(one), one]));
    if (distinct.size === 0) return { messageId, outcome: 'gone' };
    for (const one of distinct.values()) await work.change(one, context.request.signal);
    return { messageId, outcome: 'done' };
  } catch (error) {
    const isUnknown = (error as { readonly outcome?: unknown }).outcome === 'unknown';
    return { messageId, outcome: isUnknown ? 'unknown' : 'failed', error };
  }
}

/** @throws when nothing was changed */
function resultOf(results: readonly Result[], { done }: Work, topic: string): ChangeResult {
  const of = (wanted: Result['outcome']): readonly Result[] => results.filter(({ outcome }) => outcome === wanted);
  const named = (what: string, list: readonly Result[]): readonly string[] =>
    list.length === 0 ? [] : [`${list.length} ${what}: ${list.map(({ messageId }) => messageId).join(' ')}`];
  const failed = of('failed');
  if (failed.length === results.length && failed[0] !== undefined) throw failed[0].error;
  const gone = of('gone');
  if (gone.length === results.length)
    throw notWaiting(
      topic,
      gone.map(({ messageId }) => messageId),
    );
  const text = [
    `${of('done').length} ${of('done').length === 1 ? 'message' : 'messages'} ${done}`,
    ...named(`may be ${done} or not`, of('unknown')),
    ...named('did not wait any more', gone),
    ...named('failed', failed),
  ].join('; ');
  return { outcome: of('done').length === results.length ? 'done' : 'partly', text, details: { results } };
}

/** Those with this id that wait. @throws the error of a broker that does not answer, when the others have none */
async function waitingOf(context: PageContext, topic: string, messageId: string): Promise<readonly Waiting[]> {
  const { admin, source, nowMs, request, time } = context;
  const { signal } = request;
  if (source.control !== undefined) {
    const [aheadMs, brokers, { items }] = await Promise.all([
      time.offsetMs(),
      admin.brokers({ signal }),
      controlOf(context).delayed({ topic, messageId, signal, timeoutMs: CONTROL_MS }),
    ]);
    const broker = brokers[0]?.name ?? '';
    return items.map(({ recallHandle, dueAtMs }) => {
      return { messageId, broker, originTopic: topic, recallHandle, dueAtMs: dueAtMs - aheadMs };
    });
  }
  const { delayed, recalls, failures } = await admin.messageTrail({ topic, messageId, consumerGroups: [] }, { signal });
  const waiting = delayed.filter((one) => {
    const isCanceled = recalls.some(
      ({ broker, storeTimestampMs }) => broker === one.broker && storeTimestampMs >= one.storeTimestampMs,
    );
    return one.dueTimestampMs > nowMs() && !isCanceled;
  });
  const [failure] = failures;
  if (waiting.length === 0 && failure !== undefined) throw failure.error;
  return waiting.map(({ broker, originTopic, recallHandle, dueTimestampMs: dueAtMs }) => {
    return { messageId, broker, originTopic, recallHandle, dueAtMs };
  });
}

function notWaiting(topic: string, messageIds: readonly string[]): ConsoleRejection {
  const which =
    messageIds.length === 1 ? `delayed message ${messageIds[0]} does not wait` : 'none of these messages waits';
  const text = `${which} for topic ${topic}: delivered or canceled before; nothing was changed`;
  return new ConsoleRejection(409, 'NOT_WAITING', text);
}
