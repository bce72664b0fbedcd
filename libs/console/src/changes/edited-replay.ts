// Sends a dead letter with another body, as a new message.

import type { DeadLetterView, TopicDescription } from 'nestjs-rocketmq/admin';
import { forwarded, type OutgoingMessage } from 'nestjs-rocketmq/client';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRejection } from '../http/exchange.js';
import type { PageContext } from '../pages/context.js';
import { deadLetterAt, shortDeadLetter } from '../pages/groups.js';
import { letterOf } from './edited-copies.js';
import { type Fields, wrong } from './fields.js';
import { exclusiveOf } from './replay.js';
import { assertOrdinary, bodyIn, senderOf } from './send.js';

/** The property of an edited copy that names its dead letter, as `group/broker/queue/offset`. Consumers can see it. */
export const EDIT_PROPERTY = 'DEAD_LETTER_EDIT';

/** One dead letter with another body: a new message with an id of its own. */
export async function planEdited(context: PageContext, fields: Fields, edited: Fields): Promise<Change> {
  const send = senderOf(context);
  const { admin, redaction, request } = context;
  const consumerGroup = fields.text('consumerGroup');
  const [position, ...more] = fields.texts('positions', 1) ?? [];
  fields.end();
  const body = bodyIn(edited);
  edited.end();
  if (position === undefined || more.length > 0) throw wrong('positions must have the one dead letter that is edited');
  const deadLetter = await deadLetterAt(admin, consumerGroup, position, request.signal);
  const { originTopic: topic, messageId } = deadLetter;
  if (topic === undefined)
    throw new ConsoleRejection(409, 'ORIGIN_UNKNOWN', 'the topic of this dead letter is unknown; nothing was sent');
  assertOrdinary(topic);
  const { signal } = request;
  const [described, { consumerGroups }] = await Promise.all([
    admin.describeTopic(topic, { signal }),
    admin.groupsOfTopic(topic, { signal }),
  ]);
  if (described === undefined) {
    const text = `topic ${topic} of this dead letter no longer exists; create it first; nothing was sent`;
    throw new ConsoleRejection(409, 'ORIGIN_GONE', text);
  }
  const story = { [EDIT_PROPERTY]: `${consumerGroup}/${position}` };
  // Other clients store labels that a send rejects.
  const copy = forwarded({ ...deadLetter, body: Buffer.from(body) }, story);
  const message = { topic, ...copy, ...placeIn(described.type, deadLetter) } as OutgoingMessage;
  const properties = copy.properties;
  const letter = letterOf(deadLetter);
  const editedBefore = context.edited.has(letter);
  const run = async (signal: AbortSignal): Promise<ChangeResult> => {
    if (!editedBefore && context.edited.has(letter)) {
      const text =
        'an edited copy of this dead letter was sent since the plan; nothing was sent; plan again to send another';
      throw new ConsoleRejection(409, 'EDITED_BEFORE', text);
    }
    const receipt = await send(message, { signal }).catch((error: unknown) => {
      if ((error as { readonly outcome?: unknown }).outcome === 'unknown') context.edited.add(letter);
      throw error;
    });
    context.edited.add(letter);
    return { outcome: 'done', text: `an edited copy was sent as message ${receipt.messageId}`, details: receipt };
  };
  const bytes = Buffer.byteLength(body);
  const shown = shortDeadLetter(redaction, deadLetter);
  const preview = { deadLetter: shown, topic, bytes, consumerGroups, properties, editedBefore };
  const target = { consumerGroup, messageId, position, edited: 'true' };
  const exclusive = [exclusiveOf(consumerGroup)];
  return { action: 'replay', isWritten: true, target, topics: [topic], preview, exclusive, run };
}

/** What the type of the topic takes: other clients label messages with a message group or a priority in any topic. */
function placeIn(
  type: TopicDescription['type'],
  { messageGroup, priority, liteTopic }: DeadLetterView,
): Pick<OutgoingMessage, 'messageGroup' | 'priority' | 'liteTopic'> {
  switch (type) {
    case 'fifo':
    case 'mixed':
      return { messageGroup };
    case 'priority':
      return { priority };
    case 'lite':
      return { liteTopic };
    default:
      return {};
  }
}
