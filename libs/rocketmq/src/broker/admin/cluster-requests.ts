// Requests about the cluster, which consists of this broker, and about the broker itself.

import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { SECOND_MS } from '../../support/clock.js';
import { queueRanges, storedSince } from '../engine/offsets.js';
import { BROKER_NAME, CLUSTER_NAME, RELEASE } from '../engine/server-names.js';
import { keys, type TopicRecord } from '../store/records.js';
import { type AdminAnswer, answerWith, rejected, SUCCESS } from './admin-answer.js';
import type { AdminContext, RequestTable } from './admin-context.js';

type AdminFields = Readonly<Record<string, string>>;

/** Tools show the rates of three periods. @see StoreStatsService of the server */
const RATE_SECONDS = [10, 60, 600];
const DAY_SECONDS = 86_400;
/** A minute, an hour and a day. */
const STATS_SECONDS = [60, 3_600, DAY_SECONDS] as const;
/** Of the rates of delayed messages. */
const TIMER_SECONDS = 10;
/** Requests do not queue here. `mqadmin clusterList` fails without some of the keys, and shows null for others. */
const NOTHING_WAITS = {
  sendThreadPoolQueueSize: '0',
  pullThreadPoolQueueSize: '0',
  ackThreadPoolQueueSize: '0',
  sendThreadPoolQueueHeadWaitTimeMills: '0',
  pullThreadPoolQueueHeadWaitTimeMills: '0',
  ackThreadPoolQueueHeadWaitTimeMills: '0',
  pageCacheLockTimeMills: '0',
  timerReadBehind: '0',
  timerOffsetBehind: '0',
};

export class ClusterRequests {
  readonly table: RequestTable = [
    [REQUEST_CODES.getBrokerRuntimeInfo, () => this.runtimeInfo()],
    [REQUEST_CODES.putKvConfig, ({ fields }) => this.putConfig(fields)],
    [REQUEST_CODES.getKvConfig, ({ fields }) => this.config(fields)],
    [REQUEST_CODES.deleteKvConfig, ({ fields }) => this.deleteConfig(fields)],
    [REQUEST_CODES.getBrokerClusterInfo, () => this.clusterInfo()],
    [REQUEST_CODES.getNameServerConfig, () => this.nameServerConfig()],
    [REQUEST_CODES.viewBrokerStatsData, ({ fields }) => this.stats(fields)],
  ];

  private readonly startedAtMs: number;

  constructor(private readonly broker: AdminContext) {
    this.startedAtMs = this.nowMs();
  }

  /** Tools compute the broker's time from its start time and its uptime. */
  private runtimeInfo(): AdminAnswer {
    const seconds = Math.floor((this.nowMs() - this.startedAtMs) / SECOND_MS);
    const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
    const runtime = `[ ${Math.floor(hours / 24)} days, ${hours % 24} hours, ${minutes % 60} minutes, ${seconds % 60} seconds. ]`;
    const { traffic, trail } = this.broker.engine;
    const atMs = this.broker.clock.nowMs();
    const getTps = RATE_SECONDS.map((period) => traffic.handedOutWithin(period, atMs) / period).join(' ');
    const table = {
      brokerVersionDesc: RELEASE.name,
      brokerActive: 'true',
      bootTimestamp: String(this.startedAtMs),
      runtime,
      putTps: RATE_SECONDS.map((period) => this.storedWithin(period) / period).join(' '),
      getTransferredTps: getTps,
      // As servers before 5.0 spell it.
      getTransferedTps: getTps,
      getTotalTps: getTps,
      ...this.totals(),
      ...NOTHING_WAITS,
      timerCongestNum: String(trail?.delayed.all.length ?? 0),
      timerEnqueueTps: String(traffic.timer.begun.within(TIMER_SECONDS, atMs) / TIMER_SECONDS),
      timerDequeueTps: String(traffic.timer.ended.within(TIMER_SECONDS, atMs) / TIMER_SECONDS),
    };
    return answerWith({ table });
  }

  /** Tools show the differences: what is stored since midnight and on the day before, and what was handed out since the start. */
  private totals(): Record<string, string> {
    const { engine, store } = this.broker;
    const ranges = engine.topics().flatMap((topic) => queueRanges(store, topic));
    const stored = ranges.reduce((sum, { maxOffset }) => sum + maxOffset, 0);
    const midnightMs = new Date(this.nowMs()).setHours(0, 0, 0, 0);
    const today = this.storedWithin((this.nowMs() - midnightMs) / SECOND_MS);
    const twoDays = this.storedWithin((this.nowMs() - midnightMs) / SECOND_MS + DAY_SECONDS);
    const handedOut = engine.traffic.counted.handedOut.reduce((sum, { messages }) => sum + messages, 0);
    return {
      msgPutTotalTodayNow: String(stored),
      msgPutTotalTodayMorning: String(stored - today),
      msgPutTotalYesterdayMorning: String(stored - twoDays),
      msgGetTotalTodayNow: String(handedOut),
      msgGetTotalTodayMorning: '0',
      msgGetTotalYesterdayMorning: '0',
    };
  }

  private storedWithin(seconds: number, topics: readonly TopicRecord[] = this.broker.engine.topics()): number {
    const { store, clock } = this.broker;
    return storedSince(store, topics, clock.nowMs() - seconds * SECOND_MS);
  }

  /** How many messages a topic has received, or a group: what tools ask for. @see BrokerStatsData of the server */
  private stats({ statsName = '', statsKey = '' }: AdminFields): AdminAnswer {
    const sums = this.sums(statsName, statsKey);
    if (sums === undefined) throw rejected(`The stats <${statsName}> <${statsKey}> not exist`);
    const [statsMinute, statsHour, statsDay] = STATS_SECONDS.map((seconds, index) => {
      const sum = sums[index] ?? 0;
      return { sum, tps: sum / seconds, avgpt: sum === 0 ? 0 : 1 };
    });
    return answerWith({ statsMinute, statsHour, statsDay });
  }

  /** For a minute, an hour and a day. */
  private sums(statsName: string, statsKey: string): number[] | undefined {
    const { engine, store, clock } = this.broker;
    if (statsName === 'GROUP_GET_NUMS') return engine.traffic.handedOutTo(statsKey, clock.nowMs());
    const topic = statsName === 'TOPIC_PUT_NUMS' ? engine.findTopic(statsKey) : undefined;
    if (topic === undefined || queueRanges(store, topic).every(({ maxOffset }) => maxOffset === 0)) return undefined;
    return STATS_SECONDS.map((seconds) => this.storedWithin(seconds, [topic]));
  }

  /** Tools compare it with their own time. */
  private nowMs(): number {
    return this.broker.clientTime.toClient(this.broker.clock.nowMs());
  }

  /** What name servers keep by namespace and key, such as order configurations. */
  private async putConfig({ namespace = '', key = '', value = '' }: AdminFields): Promise<AdminAnswer> {
    this.broker.engine.administration.putSetting({ namespace, key, value });
    await this.broker.store.flush();
    return SUCCESS;
  }

  private config(fields: AdminFields): AdminAnswer {
    const { namespace = '', key = '' } = fields;
    const value = this.broker.store.get(keys.setting(namespace, key)) as string | undefined;
    if (value !== undefined) return { ...SUCCESS, fields: { value } };
    const remark = `No config item, Namespace: ${fields.namespace} Key: ${fields.key}`;
    return { code: RESPONSE_CODES.queryNotFound, remark };
  }

  private async deleteConfig({ namespace = '', key = '' }: AdminFields): Promise<AdminAnswer> {
    this.broker.engine.administration.deleteSetting(namespace, key);
    await this.broker.store.flush();
    return SUCCESS;
  }

  /** @see NamesrvConfig of the server */
  private nameServerConfig(): AdminAnswer {
    const address = this.broker.address();
    const port = address.slice(address.lastIndexOf(':') + 1);
    return { ...SUCCESS, body: Buffer.from(`listenPort=${port}\norderMessageEnable=false\n`) };
  }

  private clusterInfo(): AdminAnswer {
    const brokerAddrs = { 0: this.broker.address() };
    const broker = { brokerName: BROKER_NAME, cluster: CLUSTER_NAME, brokerAddrs, enableActingMaster: false };
    return answerWith({
      brokerAddrTable: { [BROKER_NAME]: broker },
      clusterAddrTable: { [CLUSTER_NAME]: [BROKER_NAME] },
    });
  }
}
