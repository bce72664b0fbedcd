// The changes that a viewer can plan: what each would do, and how it is done.

import type { ResumableHalfMessage, StoredMessageView } from 'nestjs-rocketmq/admin';
import type { ConsoleAction } from '../access/audit.js';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRejection } from '../http/exchange.js';
import { MAX_ITEMS, type PageContext } from '../pages/context.js';
import { planDeliver, planRecall } from './delayed.js';
import { planEdited } from './edited-replay.js';
import type { Fields } from './fields.js';
import { planPause } from './group-pauses.js';
import { planFaults, planListeners, planTime } from './local-changes.js';
import { planReplay } from './replay.js';
import { planRewind } from './rewind.js';
import { planSchedule } from './schedule-entries.js';
import { planSend } from './send.js';

/** How many pages of half messages are read to find one. */
const MAX_PAGES = 20;

type Planner = (context: PageContext, fields: Fields) => Promise<Change>;

const PLANNERS: Readonly<Record<ConsoleAction, Planner>> = {
  replay: async (context, fields) => {
    const edited = fields.object('edited');
    return edited === undefined ? planReplay(context, fields) : planEdited(context, fields, edited);
  },
  rewind: planRewind,
  pause: planPause,
  recall: planRecall,
  deliver: planDeliver,
  resume: planResume,
  listeners: planListeners,
  schedule: planSchedule,
  send: planSend,
  time: planTime,
  faults: planFaults,
};

/** What a viewer must be allowed to do: a copy with another body is a message that they send. */
export function actionsNeeded(action: ConsoleAction, fields: Fields): readonly ConsoleAction[] {
  return action === 'replay' && fields.object('edited') !== undefined ? [action, 'send'] : [action];
}

/** @throws ConsoleRejection for a field that is wrong; the errors of the cluster */
export async function planChange(context: PageContext, action: ConsoleAction, fields: Fields): Promise<Change> {
  return PLANNERS[action](context, fields);
}

/** @throws ConsoleRejection for a half message that was not given up */
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
  const { originTopic: topic, offsetMessageId } = message;
  const target = { messageId, offsetMessageId };
  return { action: 'resume', target, topics: [topic], preview: { topic, ...target }, run };
}

/** As it is stored: whether somebody may resume it is decided by its topic, so that must be its own. */
async function givenUp(
  { admin, request: { signal } }: PageContext,
  { broker, originTopic, offsetMessageId }: ResumableHalfMessage,
): Promise<StoredMessageView> {
  let after: string | undefined;
  let pages = 0;
  do {
    const page = await admin.givenUpHalfMessages({ limit: MAX_ITEMS, after, signal });
    const found = page.messages.find((one) => one.broker === broker && one.offsetMessageId === offsetMessageId);
    if (found !== undefined && found.originTopic === originTopic) return found;
    if (found !== undefined) break;
    after = page.next;
    pages++;
  } while (after !== undefined && pages < MAX_PAGES);
  const text = `no half message ${offsetMessageId} of topic ${originTopic} is given up on broker ${broker}, or it is not among the first ${MAX_PAGES * MAX_ITEMS}; nothing was changed`;
  throw new ConsoleRejection(409, 'NOT_GIVEN_UP', text);
}
