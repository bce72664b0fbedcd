// What a name server knows: its brokers, and the route of a topic. Answers become types here; nothing is sent.

import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { jsonOf } from './answers.js';

/** A broker that accepts writes and administration. */
export interface MasterBroker {
  readonly name: string;
  readonly cluster: string;
  /** `host:port` as the broker registered it. */
  readonly address: string;
}

/** Where a topic lives. */
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

/** The broker id of a master; slaves have others. */
const MASTER_ID = '0';

/** The masters in the answer to request code 106, by name. */
export function parseClusterInfo(answer: RemotingFrame): MasterBroker[] {
  const info = jsonOf(answer) as ClusterInfo;
  return mastersOf(Object.values(info.brokerAddrTable ?? {}));
}

/** The answer to request code 105. */
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
