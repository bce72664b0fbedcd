// What a name server knows: its brokers, and the route of a topic. This file converts answers to types; it sends nothing.

import { byBrokerName, type Layout, parseLayout } from '../protocol/model/layout.js';
import { LIMITS } from '../protocol/model/limits.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { jsonOf, objectsIn } from './answers.js';

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
  /** The names of brokers of which only slaves are registered. A slave that acts as master is registered as the master. */
  readonly masterless: readonly string[];
  /** The names of brokers for which a slave acts as master: it is registered as the master, and the topic cannot be written there. */
  readonly acting: readonly string[];
  /** The write queues of the topic by broker name. */
  readonly queues: ReadonlyMap<string, number>;
  /** What each broker may be asked for. */
  readonly access: ReadonlyMap<string, QueueAccess>;
  /** What message groups are spread over, where the name server keeps it and shows it in routes (`orderMessageEnable`). */
  readonly order: Layout | undefined;
}

/** The queues of a topic on one broker. */
export interface QueueAccess {
  /** Numbered from 0. 0 when the topic cannot be read there. */
  readonly readable: number;
  /** Numbered from 0. 0 when the topic cannot be written there; a broker does not check that. */
  readonly writable: number;
}

interface BrokerData {
  readonly brokerName?: string;
  readonly cluster?: string;
  readonly brokerAddrs?: Readonly<Record<string, string>>;
  readonly enableActingMaster?: boolean;
}

interface ClusterInfo {
  readonly brokerAddrTable?: Readonly<Record<string, BrokerData>>;
}

interface QueueData {
  readonly brokerName?: string;
  readonly perm?: number;
  readonly readQueueNums?: number;
  readonly writeQueueNums?: number;
}

interface RouteData {
  readonly brokerDatas?: readonly BrokerData[];
  readonly queueDatas?: readonly QueueData[];
  /** `broker:queues;broker:queues`, from the settings of the name server. */
  readonly orderTopicConf?: string | null;
}

/** The broker id of a master; slaves have other ids. */
const MASTER_ID = '0';
/** That of the first slave, which loses it while it acts as master. */
const FIRST_SLAVE_ID = '1';

/** The masters by name, from the answer to request code 106. */
export function parseClusterInfo(answer: RemotingFrame): MasterBroker[] {
  const info = jsonOf(answer) as ClusterInfo;
  return mastersOf(Object.values(info.brokerAddrTable ?? {}));
}

/** From the answer to request code 105. */
export function parseTopicRoute(answer: RemotingFrame): TopicRoute {
  const route = jsonOf(answer) as RouteData;
  const queueDatas = objectsIn<QueueData>(route.queueDatas);
  const queues = queueDatas.map((data) => [data.brokerName ?? '', data.writeQueueNums ?? 0] as const);
  const access = new Map(queueDatas.map((data) => [data.brokerName ?? '', accessOf(data)] as const));
  const { orderTopicConf } = route;
  const order = typeof orderTopicConf === 'string' ? parseLayout(orderTopicConf) : undefined;
  const datas = objectsIn<BrokerData>(route.brokerDatas);
  const masterless = datas.flatMap((data) => {
    const ids = Object.keys(data.brokerAddrs ?? {});
    return ids.length > 0 && !ids.includes(MASTER_ID) ? [data.brokerName ?? ''] : [];
  });
  const acting = datas
    .filter((data) => data.enableActingMaster && !Object.hasOwn(data.brokerAddrs ?? {}, FIRST_SLAVE_ID))
    .flatMap(({ brokerName = '' }) => (access.get(brokerName)?.writable === 0 ? [brokerName] : []));
  return { brokers: mastersOf(datas), masterless, acting, queues: new Map(queues), access, order };
}

/** The queues that can be written at present, by the name of the broker. Empty when there are none. */
export function writableLayout({ brokers, access }: Pick<TopicRoute, 'brokers' | 'access'>): Layout {
  const found = brokers.map(({ name }) => ({ brokerName: name, queues: access.get(name)?.writable ?? 0 }));
  return byBrokerName(found.filter(({ queues }) => queues > 0));
}

/** Bits of a topic's permission. @see PermName of the server */
const [WRITE, READ] = [2, 4];

function accessOf({ perm = 0, readQueueNums = 0, writeQueueNums = 0 }: QueueData): QueueAccess {
  return {
    readable: (perm & READ) === 0 ? 0 : Math.min(readQueueNums, LIMITS.topicQueues),
    writable: (perm & WRITE) === 0 ? 0 : Math.min(writeQueueNums, LIMITS.topicQueues),
  };
}

function mastersOf(brokers: unknown): MasterBroker[] {
  const masters = objectsIn<BrokerData>(brokers)
    .map(({ brokerName = '', cluster = '', brokerAddrs }) => {
      return { name: brokerName, cluster, address: brokerAddrs?.[MASTER_ID] ?? '' };
    })
    .filter(({ address }) => typeof address === 'string' && address !== '');
  return masters.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}
