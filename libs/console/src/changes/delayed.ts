// Changes to delayed messages that wait: they are canceled, or delivered now. What is found by topic and id is what is changed, so that nobody
// can name one message and change another.

import type { RecallableMessage } from 'nestjs-rocketmq/admin';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRefusal } from '../http/exchange.js';
import { CONTROL_MS, controlOf, inTurns, MOST_ITEMS, type PageContext } from '../pages/context.js';
import { type Fields, wrong } from './fields.js';

/** A delayed message that waits. */
interface Waiting extends RecallableMessage {
  readonly messageId: string;
  /** Milliseconds since 1970, by the clock of the clients. */
  readonly dueAtMs: number;
}

export function planRecall(context: PageContext, fields: Fields): Promise<Change> {
  const recall = (one: Waiting, signal: AbortSignal): Promise<void> => context.admin.recallDelayed(one, { signal });
  return planEach(context, fields, { action: 'recall', done: 'canceled', change: recall });
}

/** Of an embedded broker, before it is due. */
export function planDeliver(context: PageContext, fields: Fields): Promise<Change> {
  const control = controlOf(context);
  const deliver = async ({ originTopic: topic = '', messageId }: Waiting, signal: AbortSignal): Promise<void> => {
    await control.deliverNow({ topic, messageId }, { signal });
  };
  return planEach(context, fields, { action: 'deliver', done: 'delivered', change: deliver });
}

interface Work {
  readonly action: 'recall' | 'deliver';
  readonly done: string;
  change(one: Waiting, signal: AbortSignal): Promise<void>;
}

/** @throws ConsoleRefusal when none of the messages waits */
async function planEach(context: PageContext, fields: Fields, { action, done, change }: Work): Promise<Change> {
  const topic = fields.text('topic');
  const messageIds = [...new Set(fields.texts('messageIds', MOST_ITEMS) ?? [])];
  fields.end();
  if (messageIds.length === 0) throw wrong(`messageIds must have from 1 to ${MOST_ITEMS} ids`);
  const { signal } = context.request;
  const [found, { consumerGroups }] = await Promise.all([
    inTurns(messageIds, (messageId) => waitingOf(context, topic, messageId)),
    context.admin.groupsOfTopic(topic, { signal }),
  ]);
  const waiting = found.flat();
  const gone = messageIds.filter((_, index) => found[index]?.length === 0);
  if (waiting.length === 0) throw notWaiting(topic, messageIds);
  const run = async (running: AbortSignal): Promise<ChangeResult> => {
    const results = await inTurns(waiting, async (one) => {
      try {
        await change(one, running);
        return { messageId: one.messageId };
      } catch (error) {
        return { messageId: one.messageId, error };
      }
    });
    const failed = results.filter(({ error }) => error !== undefined);
    if (failed.length === results.length) throw failed[0]?.error;
    const text = `${results.length - failed.length} messages ${done}${failed.length > 0 ? `, ${failed.length} failed` : ''}`;
    return { outcome: failed.length > 0 ? 'partly' : 'done', text, details: { results } };
  };
  const preview = {
    topic,
    waiting: waiting.map(({ messageId, dueAtMs }) => ({ messageId, dueAtMs })),
    gone,
    consumerGroups,
  };
  return { action, target: { topic, messageIds: messageIds.join(' ') }, preview, run };
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

function notWaiting(topic: string, messageIds: readonly string[]): ConsoleRefusal {
  const which =
    messageIds.length === 1 ? `delayed message ${messageIds[0]} does not wait` : 'none of these messages waits';
  const text = `${which} for topic ${topic}: delivered or canceled before; nothing was changed`;
  return new ConsoleRefusal(409, 'NOT_WAITING', text);
}
