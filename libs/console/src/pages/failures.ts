// What handlers threw in every instance, from the topic in which applications keep it.

import { type FailureRecord, failuresByError } from 'nestjs-rocketmq/admin';
import { nextOf, shownRecord } from '../access/failures.js';
import type { ConsoleAttempt } from '../source.js';
import type { PageContext } from './context.js';

const NONE = { records: [], mayBeMore: false, failures: [] };

export async function failures(context: PageContext, group: string): Promise<object> {
  const { records, ...others } = await keptFailures(context, group);
  // Their messages are not at hand for a rule.
  const isShown = context.redaction.showsBody();
  const errors = failuresByError(records).map(({ latest, error: _, ...counted }) => {
    const { messageId, deliveryAttempt, instance } = latest;
    return { ...counted, ...shownRecord(latest, isShown), latest: { messageId, deliveryAttempt, instance } };
  });
  return { errors, ...others };
}

/** The newest of a group; none where the topic is not known. */
export async function keptFailures({ admin, operationsTopic, request }: PageContext, consumerGroup: string) {
  if (operationsTopic === undefined) return NONE;
  return admin.listFailures(operationsTopic, { consumerGroup, signal: request.signal });
}

/** What other instances threw at a message. @param own the attempts of this process, which are shown as they are */
export async function failuresElsewhere(
  { admin, operationsTopic, request }: PageContext,
  { topic, messageId }: { readonly topic: string; readonly messageId: string },
  own: readonly ConsoleAttempt[],
): Promise<readonly FailureRecord[]> {
  if (operationsTopic === undefined || !/^[!-~]{1,255}$/.test(messageId)) return [];
  const { records } = await admin.listFailures(operationsTopic, { messageId, signal: request.signal });
  const isOwn = (record: FailureRecord): boolean =>
    own.some((one) => one.consumerGroup === record.consumerGroup && one.deliveryAttempt === record.deliveryAttempt);
  return records.filter((record) => record.topic === topic && !isOwn(record)).reverse();
}

/** As an attempt of this process is shown. */
export function shownElsewhere(record: FailureRecord, isBodyShown: boolean): object {
  const { consumerGroup, deliveryAttempt, atMs, instance, settlement } = record;
  const { error, stack } = shownRecord(record, isBodyShown);
  const { next } = nextOf(settlement, atMs);
  return { consumerGroup, deliveryAttempt, startedAtMs: atMs, endedAtMs: atMs, error, stack, next, instance };
}

/** That of a dead letter, or of the last attempt that was kept of it. @param records the newest first */
export function failureOfMessage(records: readonly FailureRecord[], messageId: string): FailureRecord | undefined {
  const known = records.filter((one) => one.messageId === messageId);
  return known.find(({ settlement }) => settlement.kind === 'deadLetter') ?? known[0];
}
