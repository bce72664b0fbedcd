// What identifies one message of a schedule: the key of its entry, and when it was due.

import { hasControlCharacter } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';
import type { OutboxMessage } from '../outbox/outbox-message.js';

/**
 * The property that identifies a message of a schedule: the key of its entry, `@`, and when it was due, such as
 * `nightly-report@2026-03-29T01:00:00.000Z`. A tick of a repeated entry has one value, however often its message is sent. The same text is
 * the last of the message's `keys`, by which it can be looked up.
 */
export const SCHEDULE_TICK_PROPERTY = 'rocketmq-schedule-tick';

/** What MySQL indexes in any format of its rows, and what leaves room for other properties of a message. */
const KEY_BYTES = 255;

/** @throws UsageError `ILLEGAL_KEY`: it becomes part of a message key, and databases must not take different keys for equal */
export function assertScheduleKey(key: unknown): asserts key is string {
  const isKey = typeof key === 'string' && key !== '' && Buffer.byteLength(key) <= KEY_BYTES;
  if (isKey && !/\s|\p{Surrogate}/u.test(key) && !hasControlCharacter(key)) return;
  const text =
    `the key of a schedule must be a string of 1 to ${KEY_BYTES} bytes without white space, control characters and halves of a character, ` +
    'such as an emoji that was cut; nothing was scheduled or canceled';
  throw new UsageError('ILLEGAL_KEY', text, 'key');
}

/** The message with what identifies it. */
export function atTick<Message extends Pick<OutboxMessage, 'keys' | 'properties'>>(
  message: Message,
  key: string,
  dueAtMs: number,
): Message {
  const tick = `${key}@${new Date(dueAtMs).toISOString()}`;
  const { keys = [], properties } = message;
  return { ...message, keys: [...keys, tick], properties: { ...properties, [SCHEDULE_TICK_PROPERTY]: tick } };
}

/** The stored fields of a message that {@link atTick} has identified, for another tick. @throws Error for what is no such JSON */
export function fieldsAtTick(fields: string, key: string, dueAtMs: number): string {
  const { keys = [], ...others } = JSON.parse(fields) as Pick<OutboxMessage, 'keys' | 'properties'>;
  return JSON.stringify(atTick({ ...others, keys: keys.slice(0, -1) }, key, dueAtMs));
}
