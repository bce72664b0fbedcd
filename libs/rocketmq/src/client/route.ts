// Where a topic's queues are, as the server tells it.

import {
  Permission,
  type Resource,
  type MessageQueue as WireQueue,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { fromWireMessageType } from '../protocol/grpc/message-mapping.js';
import { type MessageType } from '../protocol/model/message.js';
import { TransportError } from '../support/errors.js';
import { type Address, type Endpoint, endpointKey } from './endpoint.js';

/** One queue of a topic on one broker. */
export interface Queue {
  readonly topic: string;
  /** -1 in an assignment that means all queues of the broker. */
  readonly id: number;
  readonly brokerName: string;
  readonly brokerId: number;
  readonly endpoint: Endpoint;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly types: readonly MessageType[];
  /** As the server sent it, to be echoed in requests. */
  readonly wire: WireQueue;
}

/** All queues of a topic. */
export interface Route {
  readonly topic: string;
  readonly queues: readonly Queue[];
  /** What the topic takes; one type, apart from mixed topics. Empty when the server does not tell. */
  readonly types: readonly MessageType[];
}

/** How the addresses in a route become addresses that this process can reach. */
export interface AddressRules {
  /** Use the endpoints of the connection string, whatever the server advertises. */
  readonly useBootstrapEndpoints: boolean;
  readonly addressMapping: ((address: Address) => Address) | undefined;
  readonly bootstrap: Endpoint;
}

/** A queue from the wire, with an endpoint that can be reached from here. */
function queueFromWire(topic: string, wire: WireQueue, rules: AddressRules): Queue {
  const { permission } = wire;
  return {
    topic,
    id: wire.id,
    brokerName: wire.broker?.name ?? '',
    brokerId: wire.broker?.id ?? 0,
    endpoint: reachable(wire, rules),
    readable: permission === Permission.READ || permission === Permission.READ_WRITE,
    writable: permission === Permission.WRITE || permission === Permission.READ_WRITE,
    types: wire.acceptMessageTypes.map(fromWireMessageType).filter((type) => type !== undefined),
    wire,
  };
}

/** @throws TransportError for what no server says of a topic that exists */
export function routeFromWire(topic: string, wires: readonly WireQueue[], rules: AddressRules): Route {
  const queues = queuesFromWire(topic, wires, rules);
  if (queues.length === 0) {
    const text = `the server answered that topic "${topic}" has no queue at all; nothing was sent`;
    throw new TransportError('RPC_FAILED', text, 'not-sent', true);
  }
  return { topic, queues, types: [...new Set(queues.flatMap(({ types }) => types))] };
}

/** Far more than clusters have. Each server that is named gets a connection of its own. */
const MOST_SERVERS = 256;

/** @throws TransportError when they lie on more servers than a cluster has */
export function queuesFromWire(topic: string, wires: readonly WireQueue[], rules: AddressRules): Queue[] {
  const queues = wires.map((wire) => queueFromWire(topic, wire, rules));
  const servers = new Set(queues.map(({ endpoint }) => endpointKey(endpoint))).size;
  if (servers <= MOST_SERVERS) return queues;
  const text = `the server named ${servers} servers for topic "${topic}", and ${MOST_SERVERS} are the most; none was connected to`;
  throw new TransportError('RPC_FAILED', text, 'not-sent', false);
}

/** A cluster-mode proxy answers without addresses when it was not told any; the way we came is then the way to go. */
function reachable(wire: WireQueue, rules: AddressRules): Endpoint {
  const addresses = wire.broker?.endpoints?.addresses ?? [];
  if (rules.useBootstrapEndpoints || addresses.length === 0) return rules.bootstrap;
  const { addressMapping } = rules;
  return { addresses: addresses.map(({ host, port }) => addressMapping?.({ host, port }) ?? { host, port }) };
}

/** A name with its namespace, as requests carry it. */
export function resource(namespace: string, name: string): Resource {
  return { resourceNamespace: namespace, name };
}
