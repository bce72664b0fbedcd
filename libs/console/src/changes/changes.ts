// The changes that a viewer can plan: what each would do, and how it is done.

import type { ResumableHalfMessage, StoredMessageView } from 'nestjs-rocketmq/admin';
import type { ConsoleAction } from '../access/audit.js';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRefusal } from '../http/exchange.js';
import { CONTROL_MS, controlOf, MOST_ITEMS, type PageContext } from '../pages/context.js';
import { type Fields, wrong } from './fields.js';
import { planFaults, planListeners, planTime } from './local-changes.js';
import { planEdited, planReplay } from './replay.js';
import { planRewind } from './rewind.js';
import { planSend } from './send.js';

/** How many pages of half messages are read to find one. */
const MOST_PAGES = 20;

type Planner = (context: PageContext, fields: Fields) => Promise<Change>;

const PLANNERS: Readonly<Record<ConsoleAction, Planner>> = {
  replay: async (context, fields) => {
    const edited = fields.object('edited');
    return edited === undefined ? planReplay(context, fields) : planEdited(context, fields, edited);
  },
  rewind: planRewind,
  recall: planRecall,
  deliver: planDeliver,
  resume: planResume,
  listeners: planListeners,
  send: planSend,
  time: planTime,
  faults: planFaults,
};

/** @throws ConsoleRefusal for a field that is wrong; the errors of the cluster */
export async function planChange(context: PageContext, action: ConsoleAction, fields: Fields): Promise<Change> {
  return PLANNERS[action](context, fields);
}

/** @throws ConsoleRefusal when it does not wait, or is another message than the viewer says */
async function planRecall(context: PageContext, fields: Fields): Promise<Change> {
  const broker = fields.text('broker');
  const originTopic = fields.text('originTopic');
  const recallHandle = fields.text('recallHandle');
  const messageId = fields.text('messageId');
  fields.end();
  const { admin } = context;
  // Whether somebody may do this is decided by topic and id, so the handle must be of no other message.
  if (!isHandleOf(recallHandle, originTopic, messageId)) throw wrong('recallHandle is not of this message');
  if (!(await waits(context, originTopic, messageId))) throw notWaiting(originTopic, messageId);
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    await admin.recallDelayed({ broker, originTopic, recallHandle }, { signal });
    return { outcome: 'done', text: `message ${messageId} canceled`, details: {} };
  };
  const target = { topic: originTopic, messageId };
  return { action: 'recall', target, preview: target, run };
}

/** Whether a delayed message with this id waits. @throws the error of a broker that does not answer, when the others have none */
async function waits(context: PageContext, topic: string, messageId: string): Promise<boolean> {
  const { admin, source, nowMs, request } = context;
  const { signal } = request;
  if (source.control !== undefined)
    return (await controlOf(context).delayed({ topic, messageId, signal, timeoutMs: CONTROL_MS })).items.length > 0;
  const { delayed, recalls, failures } = await admin.messageTrail({ topic, messageId, consumerGroups: [] }, { signal });
  const isCanceled = (one: StoredMessageView): boolean =>
    recalls.some(({ broker, storeTimestampMs }) => broker === one.broker && storeTimestampMs >= one.storeTimestampMs);
  if (delayed.some((one) => one.dueTimestampMs > nowMs() && !isCanceled(one))) return true;
  const [failure] = failures;
  if (failure !== undefined) throw failure.error;
  return false;
}

/** @see RecallMessageHandle of the server */
function isHandleOf(recallHandle: string, topic: string, messageId: string): boolean {
  const [version, ofTopic, , , id, ...more] = Buffer.from(recallHandle, 'base64url').toString().split(' ');
  return version === 'v1' && ofTopic === topic && id === messageId && more.length === 0;
}

function notWaiting(topic: string, messageId: string): ConsoleRefusal {
  const text = `no delayed message ${messageId} waits for topic ${topic}: it was delivered or canceled; nothing was changed`;
  return new ConsoleRefusal(409, 'NOT_WAITING', text);
}

/** A delayed message of an embedded broker, before it is due. */
async function planDeliver(context: PageContext, fields: Fields): Promise<Change> {
  const control = controlOf(context);
  const [topic, messageId] = [fields.text('topic'), fields.text('messageId')];
  fields.end();
  const { signal } = context.request;
  const [{ items }, groups] = await Promise.all([
    control.delayed({ topic, messageId, signal, timeoutMs: CONTROL_MS }),
    context.admin.groupsOfTopic(topic, { signal }),
  ]);
  if (items.length === 0) throw notWaiting(topic, messageId);
  const run = async (runSignal: AbortSignal): Promise<ChangeResult> => {
    const { delivered } = await control.deliverNow({ topic, messageId }, { signal: runSignal });
    return { outcome: 'done', text: `message ${messageId} delivered`, details: { delivered } };
  };
  const preview = { topic, messageId, consumerGroups: groups.consumerGroups };
  return { action: 'deliver', target: { topic, messageId }, preview, run };
}

/** @throws ConsoleRefusal for a half message that was not given up */
async function planResume(context: PageContext, fields: Fields): Promise<Change> {
  const message = {
    broker: fields.text('broker'),
    originTopic: fields.text('originTopic'),
    offsetMessageId: fields.text('offsetMessageId'),
  };
  fields.end();
  const { messageId } = await givenUp(context, message);
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    await context.admin.resumeHalfMessage(message, { signal });
    return { outcome: 'done', text: 'its checks begin again', details: {} };
  };
  const target = { topic: message.originTopic, messageId, offsetMessageId: message.offsetMessageId };
  return { action: 'resume', target, preview: target, run };
}

/** As it is stored: whether somebody may resume it is decided by its topic, so that must be its own. */
async function givenUp(
  { admin, request: { signal } }: PageContext,
  { broker, originTopic, offsetMessageId }: ResumableHalfMessage,
): Promise<StoredMessageView> {
  let after: string | undefined;
  let pages = 0;
  do {
    const page = await admin.givenUpHalfMessages({ limit: MOST_ITEMS, after, signal });
    const found = page.messages.find((one) => one.broker === broker && one.offsetMessageId === offsetMessageId);
    if (found !== undefined && found.originTopic === originTopic) return found;
    if (found !== undefined) break;
    after = page.next;
    pages++;
  } while (after !== undefined && pages < MOST_PAGES);
  const text = `no half message ${offsetMessageId} of topic ${originTopic} is given up on broker ${broker}, or it is not among the first ${MOST_PAGES * MOST_ITEMS}; nothing was changed`;
  throw new ConsoleRefusal(409, 'NOT_GIVEN_UP', text);
}
