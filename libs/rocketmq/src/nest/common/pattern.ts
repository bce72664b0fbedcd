// The patterns of `@EventPattern` and `@MessagePattern`: a topic, and perhaps tags. Who is called is in pattern-handlers.ts.

import { topicNameProblem } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';

/** Marks handlers for this transport among others: `@EventPattern('orders', ROCKETMQ_TRANSPORT)`. */
export const ROCKETMQ_TRANSPORT = rocketMQTransport();

/**
 * The transport of a connection, for handlers that belong to it alone.
 * @param connection default: the connection without a name
 */
export function rocketMQTransport(connection?: string): symbol {
  return Symbol.for(connection === undefined ? 'nestjs-rocketmq.transport' : `nestjs-rocketmq.transport:${connection}`);
}

/** What a pattern means. */
export interface ParsedPattern {
  readonly topic: string;
  /** What stands behind the colon: a tag, or several with `||` between. */
  readonly tags: string | undefined;
}

/**
 * `topic`, `topic:tag` or `topic:tag || tag`. A topic's name holds no colon.
 * @param who begins the message
 * @throws UsageError `ILLEGAL_PATTERN`
 */
export function parsePattern(who: string, pattern: unknown): ParsedPattern {
  if (typeof pattern !== 'string') {
    const text =
      `${who}: the pattern must be a text, "topic" or "topic:tag", not ${JSON.stringify(pattern)}; a handler of another ` +
      'transport needs that transport beside its pattern, for instance Transport.TCP';
    throw new UsageError('ILLEGAL_PATTERN', text, 'pattern');
  }
  const colon = pattern.indexOf(':');
  const topic = colon < 0 ? pattern : pattern.slice(0, colon);
  const tags = colon < 0 ? undefined : pattern.slice(colon + 1).trim();
  const problem = topicNameProblem(topic) ?? (tags === '' ? 'has a colon and no tag behind it' : undefined);
  if (problem === undefined) return { topic, tags };
  const text = `${who}: the pattern ${JSON.stringify(pattern)} must be "topic" or "topic:tag"; its topic ${problem}`;
  throw new UsageError('ILLEGAL_PATTERN', text, 'pattern');
}

/**
 * The pattern of a message that is sent: one tag at most.
 * @throws UsageError `ILLEGAL_PATTERN`
 */
export function parseAddress(pattern: unknown): { readonly topic: string; readonly tag: string | undefined } {
  const { topic, tags } = parsePattern('message', pattern);
  if (tags === undefined || !/[|*]/.test(tags)) return { topic, tag: tags };
  const text = `message to ${JSON.stringify(pattern)}: a message has one tag; nothing was sent`;
  throw new UsageError('ILLEGAL_PATTERN', text, 'pattern');
}
