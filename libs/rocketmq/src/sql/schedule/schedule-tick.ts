// What identifies one message of a schedule: the key of its entry, and when it was due.

import { hasControlCharacter, hasHalfCharacter } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';
import type { OutboxMessage } from '../outbox-message.js';

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
    'such as an emoji that was cut; nothing was changed';
  throw new UsageError('ILLEGAL_KEY', text, 'key');
}

/** As long as that of a group's pause. */
const MAX_REASON = 500;

/** @throws UsageError `ILLEGAL_OPTION` */
export function assertPauseReason(reason: unknown): asserts reason is string {
  const isReason = typeof reason === 'string' && reason.trim() !== '' && reason.length <= MAX_REASON;
  if (isReason && !hasControlCharacter(reason) && !hasHalfCharacter(reason)) return;
  const text = `reason must be a string of 1 to ${MAX_REASON} characters that is not blank, without control characters; nothing was paused`;
  throw new UsageError('ILLEGAL_OPTION', text, 'reason');
}

/** The key of the entry by which a repeated one is sent once more. It begins with that of the repeated one, as far as that fits. */
export function keyOfRun(key: string, id: string): string {
  const room = KEY_BYTES - id.length - 1;
  // A character that is cut decodes to U+FFFD.
  return `${Buffer.from(key)
    .subarray(0, room)
    .toString()
    .replace(/\uFFFD{1,3}$/, '')}@${id}`;
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
