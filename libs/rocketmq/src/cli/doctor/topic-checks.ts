// Checks of topics through the proxy: whether they exist, their types, their queues, and the permission to use them.

import { type Address, addressText } from '../../client/endpoint.js';
import { type Queue, queuesFromWire } from '../../client/route.js';
import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { describeError } from '../../support/logger.js';
import { plural } from '../command.js';
import type { Check, CommandText } from './check.js';
import { type ProxyProbe, rejectionOf } from './proxy-probe.js';

/** The result of examining the route of a topic. */
interface RouteFound {
  readonly checks: readonly Check[];
  readonly addresses: readonly Address[];
  /** The message types of the topic. */
  readonly types: readonly string[];
}

const NO_TYPE = 'the server does not report its type';

/**
 * Not for an embedded broker that is not strict: unlike Apache RocketMQ, it creates the topic on this request.
 */
export async function checkRoute(probe: ProxyProbe, topic: string, command: CommandText): Promise<RouteFound> {
  const found = (check: Omit<Check, 'name' | 'subject'>, queues: readonly Queue[] = []): RouteFound => ({
    checks: [{ name: 'topic', subject: topic, ...check }],
    addresses: addressesOf(queues),
    types: typesOf(queues),
  });
  try {
    const { status, messageQueues } = await probe.route(topic);
    const rejection = rejectionOf(`route of topic "${topic}"`, status);
    if (rejection !== undefined)
      return found({ status: 'failed', ...meaningOf(topic, rejection.statusCode, rejection.message, command) });
    const rules = {
      useBootstrapEndpoints: false,
      addressMapping: undefined,
      bootstrap: { addresses: [probe.address] },
    };
    const queues = queuesFromWire(topic, messageQueues, rules);
    return found(topicStatus(topic, queues, command), queues);
  } catch (error) {
    return found({ status: 'failed', seen: describeError(error), why: 'clients cannot find its queues' });
  }
}

function addressesOf(queues: readonly Queue[]): readonly Address[] {
  const all = queues.flatMap(({ endpoint }) => endpoint.addresses);
  return [...new Map(all.map((address) => [addressText(address), address])).values()];
}

function typesOf(queues: readonly Queue[]): readonly string[] {
  return [...new Set(queues.flatMap((queue) => queue.types))];
}

/** What is wrong with a topic that has more queues to write than to read on a broker. @param read the most queues that are read, and written */
export function unevenTopic(
  topic: string,
  read: number,
  written: number,
  command: CommandText,
): Pick<Check, 'why' | 'advice'> {
  return {
    why: `it has up to ${written} queues to write and ${read} to read on a broker: consumers do not receive what is stored in the rest`,
    advice: command('topic', 'create', topic, '--queues', String(written), '--yes'),
  };
}

function topicStatus(topic: string, queues: readonly Queue[], command: CommandText): Omit<Check, 'name' | 'subject'> {
  const types = typesOf(queues);
  const brokers = new Set(queues.map(({ brokerName }) => brokerName));
  const takes = types.length === 0 ? NO_TYPE : `type ${types.join(', ')}`;
  const seen = `${takes}; ${plural(queues.length, 'queue')} on ${[...brokers].join(', ')}`;
  const [reads, writes] = [queues.some(({ readable }) => readable), queues.some(({ writable }) => writable)];
  if (reads && writes) {
    const unread = queues.filter((queue) => queue.writable && !queue.readable);
    if (unread.length === 0) return { status: 'ok', seen };
    const own = queues.filter(({ brokerName }) => brokerName === unread[0]?.brokerName);
    const count = (is: (queue: Queue) => boolean): number => own.filter(is).length;
    const uneven = unevenTopic(
      topic,
      count((one) => one.readable),
      count((one) => one.writable),
      command,
    );
    return { status: 'warning', seen, ...uneven };
  }
  return {
    status: 'failed',
    seen: `${seen}, none of which is ${reads ? 'writable' : writes ? 'readable' : 'usable'}`,
    why: 'producers need a writable queue, consumers a readable one',
    advice: 'set its permission on the brokers: mqadmin updateTopicPerm -p 6',
  };
}

function meaningOf(
  topic: string,
  code: number,
  seen: string,
  command: CommandText,
): Omit<Check, 'name' | 'subject' | 'status'> {
  if (code === Code.TOPIC_NOT_FOUND) {
    const why = 'sending over gRPC does not create a topic';
    return { seen: 'does not exist', why, advice: command('topic', 'create', topic, '--type', 'normal') };
  }
  if (code === Code.UNAUTHORIZED || code === Code.FORBIDDEN) {
    return { seen, why: 'the server returns the route only to users who may send to the topic or receive from it' };
  }
  return { seen, why: 'clients cannot find its queues' };
}

/** Whether the user may receive from the topic for the group. The group must exist. */
export async function checkAssignment(probe: ProxyProbe, topic: string, group: string): Promise<Check> {
  const check = { name: 'permission', subject: `${group} in ${topic}` };
  const why = 'consumers of the group do not receive messages of the topic';
  try {
    const { status, assignments } = await probe.assignment(topic, group);
    const rejection = rejectionOf(`assignment of topic "${topic}" to group "${group}"`, status);
    if (rejection !== undefined) return { ...check, status: 'failed', seen: rejection.message, why };
    return { ...check, status: 'ok', seen: `may receive; ${plural(assignments.length, 'assignment')}` };
  } catch (error) {
    return { ...check, status: 'failed', seen: describeError(error), why };
  }
}
