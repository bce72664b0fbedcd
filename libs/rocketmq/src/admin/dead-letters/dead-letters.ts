// Reads the dead letters of a consumer group page by page without consuming them. dead-letter-replay.ts sends them again.

import { consumerGroupNameProblem, deadLetterTopicOf } from '../../protocol/model/names.js';
import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { mapConcurrently } from '../../support/concurrently.js';
import type { Deadline } from '../../support/deadline.js';
import { anyFunction, type OwnChecks } from '../../support/options.js';
import { checkName } from '../checks.js';
import type { BrokerFailure } from '../each-broker.js';
import { CONCURRENT_LOOKUPS } from '../messages/message-lookup.js';
import type { StoredMessageView } from '../messages/message-view.js';
import { originOfDeadLetter } from '../messages/origin-topic.js';
import { checkPageOptions, type MessagePageOptions, PAGE_CHECKS, readTopicPage } from '../messages/topic-page.js';

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

/** A dead letter as it is stored, and its view. */
export interface StoredDeadLetter {
  readonly stored: StoredMessageFields;
  readonly deadLetter: DeadLetterView;
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

/** One page of dead letters as they are stored, with their views. */
export async function readPage(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: DeadLetterPageOptions,
  deadline: Deadline,
): Promise<Omit<DeadLetterPage, 'deadLetters'> & { readonly letters: readonly StoredDeadLetter[] }> {
  const { found, ...page } = await readTopicPage(cluster, deadLetterTopicOf(consumerGroup), options, deadline);
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
