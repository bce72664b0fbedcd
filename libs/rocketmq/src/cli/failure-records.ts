// The failures that applications keep in a topic, as text, and those of dead letters.

import type { FailuresOfError } from '../admin/messages/kept-failures.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import type { FailureRecord } from '../protocol/model/failure-record.js';
import { mapConcurrently } from '../support/concurrently.js';
import { plural } from './command.js';
import { inRow, table, timeText } from './output.js';

const CONCURRENT_LOOKUPS = 8;
const MAX_SHORT_LENGTH = 80;

/** A block for each: counts and times, the text, and where the latest was thrown. */
export function errorText(group: FailuresOfError): string {
  const { consumerGroup, topic, retried, deadLettered, leftOut, firstAtMs, lastAtMs, latest } = group;
  const { text, stack = '' } = latest.error;
  const more = leftOut === 0 ? '' : `, and before them ${leftOut} of any error not kept`;
  const lines = [
    `${plural(retried + deadLettered, 'time')} ${nameText(latest)}: group ${consumerGroup}, topic ${topic}`,
    `  ${retried} retried, ${deadLettered} dead-lettered${more}`,
    `  from ${timeText(firstAtMs)} to ${timeText(lastAtMs)}`,
    `  latest: message ${latest.messageId}, attempt ${latest.deliveryAttempt}, ${outcomeText(latest)}, on ${latest.instance}`,
    ...linesOf(text ?? '(its text is not kept)'),
    ...linesOf(stack),
  ];
  return `${lines.map(inRow).join('\n')}\n`;
}

export function failureTable(records: readonly FailureRecord[]): string {
  return table(
    ['FAILED', 'GROUP', 'TOPIC', 'MESSAGE ID', 'ATTEMPT', 'OUTCOME', 'INSTANCE', 'ERROR'],
    records.map((one) => [
      timeText(one.atMs),
      one.consumerGroup,
      one.topic,
      one.messageId,
      one.deliveryAttempt,
      outcomeText(one),
      one.instance,
      shortText(one),
    ]),
  );
}

/** Why a message was dead-lettered; only the error where the application has kept no more than the retries before. */
export function reasonText(record: FailureRecord): string {
  const { settlement } = record;
  return settlement.kind === 'deadLetter' ? `${settlement.reason}: ${shortText(record)}` : shortText(record);
}

/** The latest failure of each message in a group, by message id: that of its dead letter, if it was kept. */
export async function latestFailures(
  admin: RocketMQAdmin,
  operationsTopic: string,
  consumerGroup: string,
  messageIds: readonly string[],
): Promise<ReadonlyMap<string, FailureRecord>> {
  // Others are no keys; the applications leave them out, too.
  const sought = [...new Set(messageIds)].filter((one) => /^[!-~]{1,255}$/.test(one));
  const found = await mapConcurrently(sought, CONCURRENT_LOOKUPS, async (messageId) => {
    const { records } = await admin.listFailures(operationsTopic, { consumerGroup, messageId });
    const latest = records.find(({ settlement }) => settlement.kind === 'deadLetter') ?? records[0];
    return latest === undefined ? [] : [[messageId, latest] as const];
  });
  return new Map(found.flat());
}

/** What stands for its kind: the class of the error, and the same with its code. */
export function errorNames(record: FailureRecord): readonly string[] {
  return [record.error.name, nameText(record)];
}

function nameText({ error: { name, code } }: FailureRecord): string {
  return code === undefined ? name : `${name} ${code}`;
}

function outcomeText({ settlement }: FailureRecord): string {
  return settlement.kind === 'retry'
    ? `retried in ${Math.round(settlement.delayMs)} ms`
    : `dead-lettered (${settlement.reason})`;
}

function shortText(record: FailureRecord): string {
  const { text } = record.error;
  const whole = text === undefined ? nameText(record) : `${nameText(record)}: ${text.replace(/\s+/g, ' ')}`;
  return whole.length > MAX_SHORT_LENGTH ? `${whole.slice(0, MAX_SHORT_LENGTH - 1)}…` : whole;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n').map((line) => `  ${line}`);
}
