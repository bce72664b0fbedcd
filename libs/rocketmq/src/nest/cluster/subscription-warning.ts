// Warns when other members of a consumer group have different subscriptions. RocketMQ delivers the messages of a group to any member:
// those that one member does not subscribe to are lost for the others.

import { describeError, type Logger } from '../../support/logger.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { Admin } from './admin-access.js';

type GroupSubscription = Awaited<ReturnType<Admin['groupClients']>>['subscriptions'][number];
type Wanted = PlannedConsumer['subscriptions'][number];

/** What the check needs. */
interface SubscriptionWatch {
  readonly admin: Admin;
  readonly logger: Logger;
  /** Cancels the check. */
  readonly signal?: AbortSignal;
}

/**
 * Compares before this instance joins the group, since afterwards the server cannot be asked: it keeps one set of
 * subscriptions for a group, that of the member that reported last, and does not report those of a single gRPC consumer. So
 * the member that joins last logs the warning. Never fails.
 */
export async function warnOfOtherSubscriptions(
  { consumerGroup, subscriptions, listeners }: PlannedConsumer,
  { admin, logger, signal }: SubscriptionWatch,
): Promise<void> {
  try {
    const group = await admin.groupClients(consumerGroup, { signal });
    if (group.clients.length === 0) return;
    const differences = differencesBetween(group.subscriptions, subscriptions);
    if (differences.length === 0) return;
    const text =
      `consumer group "${consumerGroup}" has members whose subscriptions differ from those of this instance (${differences.join('; ')}); ` +
      'while both run, messages are lost silently. Use a new consumer group for a new filter or a new topic';
    logger.warn(text, { listeners: listeners.map(({ name }) => name), members: group.clients.length });
  } catch (error) {
    logger.debug('could not compare the subscriptions of a consumer group', {
      consumerGroup,
      error: describeError(error),
    });
  }
}

/** `topic "orders": other members have "a || b", this instance has "a"`. Exported for its spec. */
function differencesBetween(inGroup: readonly GroupSubscription[], own: readonly Wanted[]): string[] {
  const topics = [...new Set([...inGroup, ...own].map(({ topic }) => topic))].sort();
  return topics.flatMap((topic) => {
    const others = inGroup.find((one) => one.topic === topic);
    const wanted = own.find((one) => one.topic === topic);
    const [left, right] = [others, wanted && { kind: 'tag' as const, expression: '*', ...wanted.filter }];
    if (meaningOf(left) === meaningOf(right)) return [];
    return [`topic "${topic}": other members have ${describe(left)}, this instance has ${describe(right)}`];
  });
}

interface Expression {
  readonly kind: 'tag' | 'sql';
  readonly expression: string;
}

/** Tags are a set: their order and the spaces around them do not matter. */
function meaningOf(one: Expression | undefined): string {
  if (one === undefined) return 'none';
  if (one.kind === 'sql') return `sql ${one.expression.trim()}`;
  const tags = one.expression.split('||').map((tag) => tag.trim());
  return `tag ${[...new Set(tags)].sort().join('||') || '*'}`;
}

function describe(one: Expression | undefined): string {
  if (one === undefined) return 'no subscription';
  return one.kind === 'sql' ? `SQL ${one.expression}` : `"${one.expression}"`;
}
