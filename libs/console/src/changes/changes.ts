// The changes that a viewer can plan: what each would do, and how it is done.

import type { RewindRequest, RewindTarget } from 'nestjs-rocketmq/admin';
import type { ConsoleAction } from '../access/audit.js';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRefusal } from '../http/exchange.js';
import { CONTROL_MS, controlOf, type PageContext } from '../pages/context.js';
import { type Fields, LATEST_MS, wrong } from './fields.js';
import { planFaults, planListeners, planTime } from './local-changes.js';
import { planEdited, planReplay } from './replay.js';
import { planSend } from './send.js';

/** How long a change may take. */
const CHANGE_MS = 60_000;

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

async function planRewind({ admin, request }: PageContext, fields: Fields): Promise<Change> {
  const asked: RewindRequest = {
    consumerGroup: fields.text('consumerGroup'),
    topic: fields.text('topic'),
    to: targetIn(fields),
  };
  fields.end();
  const moves = await admin.planRewind(asked, { signal: request.signal });
  const { consumerGroup, topic } = asked;
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    const moved = await admin.rewindGroup(asked, { signal, timeoutMs: CHANGE_MS });
    return { outcome: 'done', text: `${moved.length} queues moved`, details: { moved } };
  };
  return { action: 'rewind', target: { consumerGroup, topic, to: asked.to.kind }, preview: { moves }, run };
}

function targetIn(fields: Fields): RewindTarget {
  const kind = fields.text('to');
  if (kind === 'beginning' || kind === 'end') return { kind };
  if (kind === 'time') return { kind, time: new Date(fields.count('timeMs', 0, LATEST_MS)) };
  throw wrong('to must be beginning, end or time');
}

async function planRecall({ admin }: PageContext, fields: Fields): Promise<Change> {
  const broker = fields.text('broker');
  const originTopic = fields.text('originTopic');
  const recallHandle = fields.text('recallHandle');
  const messageId = fields.text('messageId');
  fields.end();
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    await admin.recallDelayed({ broker, originTopic, recallHandle }, { signal });
    return { outcome: 'done', text: `message ${messageId} canceled`, details: {} };
  };
  const target = { topic: originTopic, messageId };
  return { action: 'recall', target, preview: target, run };
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
  if (items.length === 0)
    throw new ConsoleRefusal(
      409,
      'NOT_WAITING',
      `no delayed message ${messageId} waits for topic ${topic}: it was delivered or canceled; nothing was changed`,
    );
  const run = async (runSignal: AbortSignal): Promise<ChangeResult> => {
    const { delivered } = await control.deliverNow({ topic, messageId }, { signal: runSignal });
    return { outcome: 'done', text: `message ${messageId} delivered`, details: { delivered } };
  };
  const preview = { topic, messageId, dueAtMs: items[0]?.dueAtMs, consumerGroups: groups.consumerGroups };
  return { action: 'deliver', target: { topic, messageId }, preview, run };
}

async function planResume({ admin }: PageContext, fields: Fields): Promise<Change> {
  const message = {
    broker: fields.text('broker'),
    originTopic: fields.text('originTopic'),
    offsetMessageId: fields.text('offsetMessageId'),
  };
  fields.end();
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    await admin.resumeHalfMessage(message, { signal });
    return { outcome: 'done', text: 'its checks begin again', details: {} };
  };
  const target = { topic: message.originTopic, offsetMessageId: message.offsetMessageId };
  return { action: 'resume', target, preview: target, run };
}
