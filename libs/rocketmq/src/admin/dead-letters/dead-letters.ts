// Reads the dead letters of a consumer group page by page without consuming them. dead-letter-replay.ts sends them again.

import { consumerGroupNameProblem, DEAD_LETTER_PREFIX, deadLetterTopicOf } from '../../protocol/model/names.js';
import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { mapConcurrently } from '../../support/concurrently.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { anyFunction, assertCall, type OwnChecks } from '../../support/options.js';
import { checkName } from '../checks.js';
import type { BrokerFailure } from '../each-broker.js';
import { CONCURRENT_LOOKUPS } from '../messages/message-lookup.js';
import type { StoredMessageView } from '../messages/message-view.js';
import { originOfDeadLetter } from '../messages/origin-topic.js';
import { formatPosition, formatReplay, type Position, parseReplay } from '../messages/positions.js';
import {
  assertStart,
  checkPageOptions,
  type MessagePageOptions,
  PAGE_CHECKS,
  readPageOf,
} from '../messages/topic-page.js';
import { compareQueues } from '../sort-order.js';
import type { TopicAdmin } from '../topics/topic-admin.js';
import { type OwnedQueue, queuesOf, type TopicQueues } from '../topics/topic-offsets.js';

export interface DeadLetterPageOptions extends MessagePageOptions {}

/** Which dead letters of a page are meant. */
export interface SelectOptions {
  /** Which of them; a promise is awaited. Default: all. */
  readonly select?: (deadLetter: DeadLetterView) => boolean | Promise<boolean>;
}

export const SELECT_CHECKS: OwnChecks<DeadLetterPageOptions & SelectOptions> = { ...PAGE_CHECKS, select: anyFunction };

/** A message that a group failed to handle. */
export interface DeadLetterView extends StoredMessageView {
  readonly consumerGroup: string;
  /** The original topic; undefined when the server did not keep it. */
  readonly originTopic: string | undefined;
}

export interface DeadLetterPage {
  /** By broker, queue and offset. They are stored until the server's retention time has passed. */
  readonly deadLetters: readonly DeadLetterView[];
  /** The position of the next page; undefined at the end. */
  readonly next: string | undefined;
  /** The number of all stored dead letters of this group. */
  readonly total: number;
  /** Brokers that did not answer; the result lacks their dead letters. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

export interface DeadLetterQueueList {
  /** The groups that have a dead letter queue, by name: also those whose queue is empty by now, and those that were deleted. */
  readonly consumerGroups: readonly string[];
  /** Brokers that did not answer; the result lacks groups that only they know. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** A dead letter as it is stored, and its view. */
export interface StoredDeadLetter {
  readonly stored: StoredMessageFields;
  readonly deadLetter: DeadLetterView;
}

export async function listDeadLetterQueues(
  admin: Pick<TopicAdmin, 'list'>,
  options?: CallOptions,
): Promise<DeadLetterQueueList> {
  assertCall(options);
  const { topics, failures } = await admin.list({ ...options, includeSystem: true });
  const queues = topics.filter(({ kind }) => kind === 'dead-letter');
  return { consumerGroups: queues.map(({ topic }) => topic.slice(DEAD_LETTER_PREFIX.length)), failures };
}

export async function listDeadLetters(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: DeadLetterPageOptions = {},
): Promise<DeadLetterPage> {
  return cluster.run(
    `list dead letters of ${consumerGroup}`,
    options,
    async (deadline) => {
      checkPage(consumerGroup, options);
      const { letters, ...page } = await readPage(cluster, consumerGroup, options, deadline);
      return { ...page, deadLetters: letters.map(({ deadLetter }) => deadLetter) };
    },
    PAGE_CHECKS,
  );
}

/** @throws UsageError */
export function checkPage(consumerGroup: string, options: DeadLetterPageOptions): void {
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  checkPageOptions(options);
}

/** One page of dead letters as they are stored, with their views. @throws as `assertStart` */
export async function readPage(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: DeadLetterPageOptions,
  deadline: Deadline,
): Promise<Omit<DeadLetterPage, 'deadLetters'> & { readonly letters: readonly StoredDeadLetter[] }> {
  const topic = deadLetterTopicOf(consumerGroup);
  const queues = await queuesOf(cluster, topic, deadline);
  assertStart(topic, queues, options);
  return readPageIn(cluster, consumerGroup, queues, options, deadline);
}

/** A page of what a replay is about, and how another one continues. */
export interface ReplayPage {
  readonly letters: readonly StoredDeadLetter[];
  readonly next: string | undefined;
  readonly failures: readonly BrokerFailure[];
  /** The `next` of a replay that ends at this dead letter. */
  continuesAt(deadLetter: DeadLetterView): string | undefined;
}

/**
 * One page of the dead letters that the queue had when the replay began. Behind them are those of a listener that fails again at what is
 * replayed, and so on without end. @throws UsageError
 */
export async function readReplayPage(
  cluster: ClusterAccess,
  consumerGroup: string,
  { after, ...options }: DeadLetterPageOptions,
  deadline: Deadline,
): Promise<ReplayPage> {
  checkPage(consumerGroup, options);
  const begun = after === undefined ? undefined : parseReplay(after);
  const topic = deadLetterTopicOf(consumerGroup);
  const known = await queuesOf(cluster, topic, deadline);
  assertStart(topic, known, { after }, begun?.start);
  const ends = begun?.ends ?? known.queues.filter(hasMessages).map(endOf);
  const offsets = new Map(ends.map((end) => [keyOf(end), end.offset]));
  const queues = known.queues.flatMap((queue) => until(queue, offsets.get(keyOf(queue.offsets))));
  const page = { ...options, after: begun && formatPosition(begun.start) };
  const { letters, next, failures } = await readPageIn(cluster, consumerGroup, { ...known, queues }, page, deadline);
  const from = (start: Position): string =>
    formatReplay({ start, ends: ends.filter((end) => compareQueues(start, end) <= 0) });
  return {
    letters,
    next: next === undefined ? undefined : from(parseReplay(next).start),
    failures,
    continuesAt: ({ broker, queueId, queueOffset }) => from({ broker, queueId, offset: queueOffset }),
  };
}

function hasMessages({ offsets: { minOffset, maxOffset } }: OwnedQueue): boolean {
  return maxOffset > minOffset;
}

function endOf({ offsets: { broker, queueId, maxOffset } }: OwnedQueue): Position {
  return { broker, queueId, offset: maxOffset };
}

function keyOf({ broker, queueId }: Pick<Position, 'broker' | 'queueId'>): string {
  return JSON.stringify([broker, queueId]);
}

/** @param end undefined: the queue had nothing, or was not known */
function until({ owner, offsets }: OwnedQueue, end: number | undefined): readonly OwnedQueue[] {
  if (end === undefined) return [];
  const maxOffset = Math.max(offsets.minOffset, Math.min(offsets.maxOffset, end));
  return [{ owner, offsets: { ...offsets, maxOffset } }];
}

async function readPageIn(
  cluster: ClusterAccess,
  consumerGroup: string,
  queues: TopicQueues,
  options: DeadLetterPageOptions,
  deadline: Deadline,
): ReturnType<typeof readPage> {
  const topic = deadLetterTopicOf(consumerGroup);
  const { found, ...page } = await readPageOf(cluster, topic, queues, options, deadline);
  const letters = found.map(({ stored, view }) => {
    const originTopic = originOfDeadLetter(consumerGroup, (name) => stored.properties.get(name));
    return { stored, deadLetter: { ...view, consumerGroup, originTopic } };
  });
  return { letters, ...page };
}

/** Those that `select` accepts, in their order. */
export async function chosenOf(
  letters: readonly StoredDeadLetter[],
  { select }: SelectOptions,
): Promise<readonly StoredDeadLetter[]> {
  if (select === undefined) return letters;
  const accepted = await mapConcurrently(letters, CONCURRENT_LOOKUPS, async ({ deadLetter }) => select(deadLetter));
  return letters.filter((_, index) => accepted[index]);
}
