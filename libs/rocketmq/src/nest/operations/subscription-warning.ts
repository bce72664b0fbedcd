// Warns when other members of a consumer group subscribe to something else. RocketMQ hands the messages of a group to any member:
// what one does not want, the others never get.

import { describeError, type Logger } from '../../support/logger.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { Admin } from './admin-access.js';

type Told = Awaited<ReturnType<Admin['groupClients']>>['subscriptions'][number];
type Wanted = PlannedConsumer['subscriptions'][number];

/** What is needed to look. */
export interface SubscriptionWatch {
  readonly admin: Admin;
  readonly logger: Logger;
  /** Ends the look. */
  readonly signal?: AbortSignal;
}

/**
 * Looks at the group before this instance joins it, since afterwards the server cannot be asked: it keeps one set of
 * subscriptions for a group, that of the member that told its own last, and tells nobody what a single gRPC consumer wants. So
 * whoever comes last is warned. Never fails.
 */
export async function warnOfOtherSubscriptions(
  { consumerGroup, subscriptions, listeners }: PlannedConsumer,
  { admin, logger, signal }: SubscriptionWatch,
): Promise<void> {
  try {
    const told = await admin.groupClients(consumerGroup, { signal });
    if (told.clients.length === 0) return;
    const differences = differencesBetween(told.subscriptions, subscriptions);
    if (differences.length === 0) return;
    const text =
      `consumer group "${consumerGroup}" has members that subscribe otherwise than this instance (${differences.join('; ')}); ` +
      'while both run, messages are lost without a trace: give a new filter or a new topic a new consumer group';
    logger.warn(text, { listeners: listeners.map(({ name }) => name), members: told.clients.length });
  } catch (error) {
    logger.debug('could not look at the subscriptions of a consumer group', {
      consumerGroup,
      error: describeError(error),
    });
  }
}

/** `topic "orders": theirs a || b, ours a`. Exported for its spec. */
export function differencesBetween(theirs: readonly Told[], ours: readonly Wanted[]): string[] {
  const topics = [...new Set([...theirs, ...ours].map(({ topic }) => topic))].sort();
  return topics.flatMap((topic) => {
    const their = theirs.find((one) => one.topic === topic);
    const own = ours.find((one) => one.topic === topic);
    const [left, right] = [their && their, own && { kind: 'tag' as const, expression: '*', ...own.filter }];
    if (meaningOf(left) === meaningOf(right)) return [];
    return [`topic "${topic}": they ${describe(left)}, this one ${describe(right)}`];
  });
}

interface Expression {
  readonly kind: 'tag' | 'sql';
  readonly expression: string;
}

/** Tags are a set: their order and the blanks around them mean nothing. */
function meaningOf(one: Expression | undefined): string {
  if (one === undefined) return 'none';
  if (one.kind === 'sql') return `sql ${one.expression.trim()}`;
  const tags = one.expression.split('||').map((tag) => tag.trim());
  return `tag ${[...new Set(tags)].sort().join('||') || '*'}`;
}

function describe(one: Expression | undefined): string {
  if (one === undefined) return 'do not subscribe';
  return one.kind === 'sql' ? `want SQL ${one.expression}` : `want "${one.expression}"`;
}
