// Reads the failures of handlers that applications keep in a topic (the module option `operations`).

import { FAILURE_TAGS, type FailureRecord, parseFailureRecord } from '../../protocol/model/failure-record.js';
import { consumerGroupNameProblem, topicNameProblem } from '../../protocol/model/names.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { CallOptions } from '../../support/deadline.js';
import { anyString, checkedElsewhere, integerFrom, type OwnChecks } from '../../support/options.js';
import { checkName, checkTime } from '../checks.js';
import type { BrokerFailure } from '../each-broker.js';
import { assertKnown, queuesOf } from '../topics/topic-offsets.js';
import { findMessages, MAX_BY_KEY } from './message-lookup.js';
import type { StoredMessageView } from './message-view.js';
import { readPageOf } from './topic-page.js';

export interface ListFailuresOptions extends CallOptions {
  /** Only those of this consumer group. Default: of all. */
  readonly consumerGroup?: string;
  /** Only those of this message, which are looked up in the index of the brokers: at most 64 from each. Default: of all. */
  readonly messageId?: string;
  /** Kept at this time or later. Default: any time. */
  readonly from?: Date;
  /** Kept at this time or earlier. Default: any time. */
  readonly to?: Date;
  /** How many of the newest to read, 1 to 10,000 failures. Default: 500. */
  readonly limit?: number;
}

export interface FailureList {
  /** The newest first. */
  readonly records: readonly FailureRecord[];
  /** There may be older ones, which were not read. */
  readonly mayBeMore: boolean;
  /** Brokers that did not answer; the result lacks their failures. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** The failures of a group and topic that have the class and code of their errors in common. */
export interface FailuresOfError {
  readonly consumerGroup: string;
  readonly topic: string;
  readonly error: Pick<FailureRecord['error'], 'name' | 'code'>;
  readonly retried: number;
  readonly deadLettered: number;
  /** How many failures, of any error, were not recorded before these. */
  readonly leftOut: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly latest: FailureRecord;
}

const DEFAULT_LIMIT = 500;
const MAX_LIMIT = 10_000;
const PAGE = 100;
/** Each reads up to 2,000 messages, so that the search for a group without failures ends. */
const MAX_PAGES = 20;
/** Of the time for all: what was read is not lost to a page that would not end in time. */
const RESERVED_SHARE = 0.3;
/** The topic has the lag of groups as well. */
const TAGS = Object.values(FAILURE_TAGS).join(' || ');

const CHECKS: OwnChecks<ListFailuresOptions> = {
  consumerGroup: checkedElsewhere,
  messageId: anyString,
  from: checkedElsewhere,
  to: checkedElsewhere,
  limit: integerFrom(1, MAX_LIMIT),
};

export async function listFailures(
  cluster: ClusterAccess,
  topic: string,
  options: ListFailuresOptions = {},
): Promise<FailureList> {
  checkName('topic', topic, topicNameProblem(topic));
  return cluster.run(
    `list the failures in topic ${topic}`,
    options,
    async (deadline) => {
      const { consumerGroup, messageId, from, to, limit = DEFAULT_LIMIT } = options;
      if (consumerGroup !== undefined)
        checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
      checkTime('from', from);
      checkTime('to', to);
      const isMeant = (record: FailureRecord): boolean =>
        (consumerGroup === undefined || record.consumerGroup === consumerGroup) &&
        (messageId === undefined || record.messageId === messageId);
      if (messageId !== undefined) {
        const query = { topic, key: messageId, from, to, limit: Math.min(limit, MAX_BY_KEY) };
        const { messages, mayBeMore, failures } = await findMessages(cluster, query, deadline.callOptions());
        const found = messages.flatMap((message) => recordIn(message) ?? []).filter(isMeant);
        return { records: found.reverse().slice(0, limit), mayBeMore, failures };
      }
      const queues = await queuesOf(cluster, topic, deadline);
      assertKnown(topic, queues);
      const filter = (message: StoredMessageView): boolean => {
        const record = recordIn(message);
        return record !== undefined && isMeant(record);
      };
      const records: FailureRecord[] = [];
      let after: string | undefined;
      for (let pages = 0; pages < MAX_PAGES && records.length < limit; pages++) {
        if (pages > 0 && deadline.remainingMs() < deadline.timeoutMs * RESERVED_SHARE) break;
        const page = {
          order: 'newest-first',
          tags: TAGS,
          from,
          to,
          limit: Math.min(PAGE, limit - records.length),
        } as const;
        const { found, next, failures } = await readPageOf(
          cluster,
          topic,
          queues,
          { ...page, after, filter },
          deadline,
        );
        records.push(...found.flatMap(({ view }) => recordIn(view) ?? []));
        // What a broker lacks would be in the middle of the result.
        if (next === undefined || failures.length > 0) return { records, mayBeMore: next !== undefined, failures };
        after = next;
      }
      return { records, mayBeMore: true, failures: [] };
    },
    CHECKS,
  );
}

/** By error, the most frequent first. @param records the newest first, as `listFailures()` of the admin client returns them */
export function failuresByError(records: readonly FailureRecord[]): FailuresOfError[] {
  const alike = new Map<string, FailureRecord[]>();
  for (const record of records) {
    const { consumerGroup, topic, error } = record;
    const key = JSON.stringify([consumerGroup, topic, error.name, error.code]);
    const known = alike.get(key);
    if (known === undefined) alike.set(key, [record]);
    else known.push(record);
  }
  const sorted = [...alike.values()].sort((left, right) => right.length - left.length);
  return sorted.flatMap((all) => {
    const [latest] = all;
    if (latest === undefined) return [];
    const { consumerGroup, topic, error } = latest;
    const deadLettered = all.filter(({ settlement }) => settlement.kind === 'deadLetter').length;
    return {
      consumerGroup,
      topic,
      error: { name: error.name, code: error.code },
      retried: all.length - deadLettered,
      deadLettered,
      leftOut: all.reduce((sum, { leftOut }) => sum + leftOut, 0),
      firstAtMs: all.reduce((least, { atMs }) => Math.min(least, atMs), latest.atMs),
      lastAtMs: all.reduce((most, { atMs }) => Math.max(most, atMs), latest.atMs),
      latest,
    };
  });
}

function recordIn({ body, isPacked }: StoredMessageView): FailureRecord | undefined {
  return isPacked ? undefined : parseFailureRecord(body);
}
