// What the proxy tells of topics: whether they are there, what they take, where they live, and whether they may be used.

import { type Address, addressText } from '../../client/endpoint.js';
import { type Queue, queuesFromWire } from '../../client/route.js';
import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { describeError } from '../../support/logger.js';
import { plural } from '../command.js';
import type { Check } from './check.js';
import { type ProxyProbe, refusalOf } from './proxy-probe.js';

/** What a route told. */
export interface RouteFound {
  readonly checks: readonly Check[];
  readonly addresses: readonly Address[];
  /** What the topic takes. */
  readonly types: readonly string[];
}

const NO_TYPE = 'the server does not tell what it takes';

/** Asking makes no topic on Apache RocketMQ; an embedded broker that is not strict would make it. */
export async function checkRoute(probe: ProxyProbe, topic: string): Promise<RouteFound> {
  const found = (check: Omit<Check, 'name' | 'subject'>, queues: readonly Queue[] = []): RouteFound => ({
    checks: [{ name: 'topic', subject: topic, ...check }],
    addresses: addressesOf(queues),
    types: typesOf(queues),
  });
  try {
    const { status, messageQueues } = await probe.route(topic);
    const refusal = refusalOf(`route of topic "${topic}"`, status);
    if (refusal !== undefined)
      return found({ status: 'failed', ...meaningOf(topic, refusal.statusCode, refusal.message) });
    const rules = {
      useBootstrapEndpoints: false,
      addressMapping: undefined,
      bootstrap: { addresses: [probe.address] },
    };
    const queues = queuesFromWire(topic, messageQueues, rules);
    return found(judge(queues), queues);
  } catch (error) {
    return found({ status: 'failed', seen: describeError(error), why: 'no client can find its queues' });
  }
}

function addressesOf(queues: readonly Queue[]): readonly Address[] {
  const all = queues.flatMap(({ endpoint }) => endpoint.addresses);
  return [...new Map(all.map((address) => [addressText(address), address])).values()];
}

function typesOf(queues: readonly Queue[]): readonly string[] {
  return [...new Set(queues.flatMap((queue) => queue.types))];
}

function judge(queues: readonly Queue[]): Omit<Check, 'name' | 'subject'> {
  const types = typesOf(queues);
  const brokers = new Set(queues.map(({ brokerName }) => brokerName));
  const takes = types.length === 0 ? NO_TYPE : `takes ${types.join(', ')}`;
  const seen = `${takes}; ${plural(queues.length, 'queue')} on ${[...brokers].join(', ')}`;
  const [reads, writes] = [queues.some(({ readable }) => readable), queues.some(({ writable }) => writable)];
  if (reads && writes) return { status: 'ok', seen };
  return {
    status: 'failed',
    seen: `${seen}, none of which can be ${reads ? 'written' : writes ? 'read' : 'used'}`,
    why: 'producers need a queue that can be written, consumers one that can be read',
    advice: 'set its permission on the brokers: mqadmin updateTopicPerm -p 6',
  };
}

function meaningOf(topic: string, code: number, seen: string): Omit<Check, 'name' | 'subject' | 'status'> {
  if (code === Code.TOPIC_NOT_FOUND) {
    const why = 'a topic is never made by sending to it over gRPC';
    return { seen: 'does not exist', why, advice: `nestjs-rocketmq topic create ${topic} --type normal` };
  }
  if (code === Code.UNAUTHORIZED || code === Code.FORBIDDEN) {
    return { seen, why: 'who may neither send to a topic nor receive from it is not told where it is' };
  }
  return { seen, why: 'no client can find its queues' };
}

/** Whether the user may receive from the topic for the group, which must exist. */
export async function checkAssignment(probe: ProxyProbe, topic: string, group: string): Promise<Check> {
  const check = { name: 'permission', subject: `${group} in ${topic}` };
  const why = 'a consumer of the group would not get messages of the topic';
  try {
    const { status, assignments } = await probe.assignment(topic, group);
    const refusal = refusalOf(`assignment of topic "${topic}" to group "${group}"`, status);
    if (refusal !== undefined) return { ...check, status: 'failed', seen: refusal.message, why };
    return { ...check, status: 'ok', seen: `may receive; ${plural(assignments.length, 'assignment')}` };
  } catch (error) {
    return { ...check, status: 'failed', seen: describeError(error), why };
  }
}
