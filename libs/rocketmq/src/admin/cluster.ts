// What a name server knows: its brokers, and the route of a topic. This file converts answers to types; it sends nothing.

import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { jsonOf } from './answers.js';

/** A broker that accepts writes and administration. */
export interface MasterBroker {
  readonly name: string;
  readonly cluster: string;
  /** `host:port` as the broker registered it. */
  readonly address: string;
}

/** The brokers and queues of a topic. */
export interface TopicRoute {
  readonly brokers: readonly MasterBroker[];
  /** The write queues of the topic by broker name. */
  readonly queues: ReadonlyMap<string, number>;
}

interface BrokerData {
  readonly brokerName?: string;
  readonly cluster?: string;
  readonly brokerAddrs?: Readonly<Record<string, string>>;
}

interface ClusterInfo {
  readonly brokerAddrTable?: Readonly<Record<string, BrokerData>>;
}

interface RouteData {
  readonly brokerDatas?: readonly BrokerData[];
  readonly queueDatas?: readonly { readonly brokerName?: string; readonly writeQueueNums?: number }[];
}

/** The broker id of a master; slaves have other ids. */
const MASTER_ID = '0';

/** The masters by name, from the answer to request code 106. */
export function parseClusterInfo(answer: RemotingFrame): MasterBroker[] {
  const info = jsonOf(answer) as ClusterInfo;
  return mastersOf(Object.values(info.brokerAddrTable ?? {}));
}

/** From the answer to request code 105. */
export function parseTopicRoute(answer: RemotingFrame): TopicRoute {
  const route = jsonOf(answer) as RouteData;
  const queues = (route.queueDatas ?? []).map((data) => [data.brokerName ?? '', data.writeQueueNums ?? 0] as const);
  return { brokers: mastersOf(route.brokerDatas ?? []), queues: new Map(queues) };
}

function mastersOf(brokers: readonly BrokerData[]): MasterBroker[] {
  return brokers
    .map(({ brokerName = '', cluster = '', brokerAddrs = {} }) => ({
      name: brokerName,
      cluster,
      address: brokerAddrs[MASTER_ID] ?? '',
    }))
    .filter((broker) => broker.address !== '')
    .sort((a, b) => a.name.localeCompare(b.name));
}
