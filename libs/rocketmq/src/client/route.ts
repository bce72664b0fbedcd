// Where a topic's queues are, according to the server.

import {
  Permission,
  type Resource,
  type MessageQueue as WireQueue,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { fromWireMessageType } from '../protocol/grpc/message-mapping.js';
import type { BrokerQueues } from '../protocol/model/layout.js';
import type { MessageType } from '../protocol/model/message.js';
import { TransportError } from '../support/errors.js';
import { type Address, type Endpoint, endpointKey } from './endpoint.js';

/** One queue of a topic on one broker. */
export interface Queue {
  readonly topic: string;
  /** -1 in an assignment of all queues of the broker. */
  readonly id: number;
  readonly brokerName: string;
  readonly brokerId: number;
  readonly endpoint: Endpoint;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly types: readonly MessageType[];
  /** As received from the server, to be echoed in requests. */
  readonly wire: WireQueue;
}

/** A broker among whose queues the message groups of a topic are spread. */
export interface LayoutPart extends BrokerQueues {
  /** Where it was last; undefined if it was never seen. */
  readonly endpoint: Endpoint | undefined;
}

/** The queues of a topic, as the server reports them. */
interface FoundQueues {
  readonly topic: string;
  readonly queues: readonly Queue[];
  /** The message types that the topic accepts; one, except for mixed topics. Empty if the server does not report them. */
  readonly types: readonly MessageType[];
}

/** All queues of a topic. */
export interface Route extends FoundQueues {
  /** What message groups are spread over, in the order of the server: brokers that are missing at present count. See layouts.ts. */
  readonly layout: readonly LayoutPart[];
}

/** How the addresses in a route are translated into addresses that this process can reach. */
export interface AddressRules {
  /** Use the endpoints of the connection string, whatever the server advertises. */
  readonly useBootstrapEndpoints: boolean;
  readonly addressMapping: ((address: Address) => Address) | undefined;
  readonly bootstrap: Endpoint;
}

/** What queues have in common is kept once: a process may have thousands of them. @returns the first value that equals this one */
function sharing(): <T>(value: T) => T {
  const known = new Map<string, unknown>();
  return <T>(value: T): T => {
    const key = JSON.stringify(value);
    if (!known.has(key)) known.set(key, value);
    return known.get(key) as T;
  };
}

/** A queue from the wire, with an endpoint that this process can reach. */
function queueFromWire(topic: string, received: WireQueue, rules: AddressRules, shared: <T>(value: T) => T): Queue {
  const { id, permission } = received;
  const [resource, broker] = [shared(received.topic), shared(received.broker)];
  // A copy has no room for more.
  const wire = {
    topic: resource,
    id,
    permission,
    broker,
    acceptMessageTypes: shared([...received.acceptMessageTypes]),
  };
  return {
    topic,
    id,
    brokerName: broker?.name ?? '',
    brokerId: broker?.id ?? 0,
    endpoint: shared(reachable(wire, rules)),
    readable: permission === Permission.READ || permission === Permission.READ_WRITE,
    writable: permission === Permission.WRITE || permission === Permission.READ_WRITE,
    types: shared(wire.acceptMessageTypes.map(fromWireMessageType).filter((type) => type !== undefined)),
    wire,
  };
}

/** @throws TransportError for a route without queues, which no server returns for an existing topic */
export function routeFromWire(topic: string, wires: readonly WireQueue[], rules: AddressRules): FoundQueues {
  const queues = queuesFromWire(topic, wires, rules);
  if (queues.length === 0) {
    const text = `the server returned a route with no queues for topic "${topic}"; nothing was sent`;
    throw new TransportError('RPC_FAILED', text, 'not-sent', true);
  }
  return { topic, queues, types: [...new Set(queues.flatMap(({ types }) => types))] };
}

/** Far more than any cluster has. Each server in a route gets its own connection. */
export const MAX_SERVERS = 256;

/** @throws TransportError when the queues are on more servers than any cluster has */
export function queuesFromWire(topic: string, wires: readonly WireQueue[], rules: AddressRules): Queue[] {
  const shared = sharing();
  const queues = wires.map((wire) => queueFromWire(topic, wire, rules, shared));
  const servers = new Set(queues.map(({ endpoint }) => endpointKey(endpoint))).size;
  if (servers <= MAX_SERVERS) return queues;
  const text = `the route of topic "${topic}" names ${servers} servers; the limit is ${MAX_SERVERS}. None was connected to`;
  throw new TransportError('RPC_FAILED', text, 'not-sent', false);
}

/** A cluster-mode proxy without configured addresses returns none; the bootstrap endpoint is then used. */
function reachable(wire: WireQueue, rules: AddressRules): Endpoint {
  const addresses = wire.broker?.endpoints?.addresses ?? [];
  if (rules.useBootstrapEndpoints || addresses.length === 0) return rules.bootstrap;
  const { addressMapping } = rules;
  return { addresses: addresses.map(({ host, port }) => addressMapping?.({ host, port }) ?? { host, port }) };
}

/** A name with its namespace, in its wire form. */
export function resource(namespace: string, name: string): Resource {
  return { resourceNamespace: namespace, name };
}
