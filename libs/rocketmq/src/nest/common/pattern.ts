// The patterns of `@EventPattern` and `@MessagePattern`: a topic, optionally with tags. pattern-handlers.ts maps them to handlers.

import { topicNameProblem } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';
import { describe } from '../../support/options.js';

const TRANSPORT = 'nestjs-rocketmq.transport';

/** Limits a handler to this transport: `@EventPattern('orders', ROCKETMQ_TRANSPORT)`. */
export const ROCKETMQ_TRANSPORT = rocketMQTransport();

/**
 * The transport of one connection, for handlers that belong to it only.
 * @param connection default: the connection without a name
 */
export function rocketMQTransport(connection?: string): symbol {
  return Symbol.for(connection === undefined ? TRANSPORT : `${TRANSPORT}:${connection}`);
}

/** The connection of a transport; undefined for one of another library. */
export function connectionOf(transport: unknown): { readonly connection: string | undefined } | undefined {
  const key = typeof transport === 'symbol' ? Symbol.keyFor(transport) : undefined;
  if (key === TRANSPORT) return { connection: undefined };
  return key?.startsWith(`${TRANSPORT}:`) ? { connection: key.slice(TRANSPORT.length + 1) } : undefined;
}

/** A parsed pattern. */
interface ParsedPattern {
  readonly topic: string;
  /** The part after the colon: a tag, or several separated by `||`. */
  readonly tags: string | undefined;
}

/**
 * `topic`, `topic:tag` or `topic:tag || tag`. The name of a topic contains no colon.
 * @param who begins the message
 * @throws UsageError `ILLEGAL_PATTERN`
 */
export function parsePattern(who: string, pattern: unknown): ParsedPattern {
  if (typeof pattern !== 'string') {
    const shown = typeof pattern === 'object' ? JSON.stringify(pattern) : describe(pattern);
    const text =
      `${who}: the pattern must be a string, "topic" or "topic:tag", not ${shown}; a handler of another ` +
      'transport needs that transport beside its pattern, for instance Transport.TCP';
    throw new UsageError('ILLEGAL_PATTERN', text, 'pattern');
  }
  const colon = pattern.indexOf(':');
  const topic = colon < 0 ? pattern : pattern.slice(0, colon);
  const tags = colon < 0 ? undefined : pattern.slice(colon + 1).trim();
  const problem = topicNameProblem(topic) ?? (tags === '' ? 'has a colon without a tag after it' : undefined);
  if (problem === undefined) return { topic, tags };
  const text = `${who}: the pattern ${JSON.stringify(pattern)} must be "topic" or "topic:tag"; its topic ${problem}`;
  throw new UsageError('ILLEGAL_PATTERN', text, 'pattern');
}

/** Whether {@link parsePattern} accepts it. */
export function isPattern(pattern: unknown): boolean {
  try {
    parsePattern('', pattern);
    return true;
  } catch {
    return false;
  }
}

/**
 * The pattern of a message to send: at most one tag.
 * @param what begins the message of the error
 * @throws UsageError `ILLEGAL_PATTERN`
 */
export function parseAddress(
  pattern: unknown,
  what = 'message',
): { readonly topic: string; readonly tag: string | undefined } {
  const { topic, tags } = parsePattern(what, pattern);
  if (tags === undefined || !/[|*]/.test(tags)) return { topic, tag: tags };
  const text = `${what} to ${JSON.stringify(pattern)}: a message can have one tag only; nothing was sent`;
  throw new UsageError('ILLEGAL_PATTERN', text, 'pattern');
}
