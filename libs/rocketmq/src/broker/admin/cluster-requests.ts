// Requests about the cluster, which consists of this broker, and about the broker itself.

import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { SECOND_MS } from '../../support/clock.js';
import { offsetAt, queueRanges } from '../engine/offsets.js';
import { BROKER_NAME, CLUSTER_NAME, RELEASE } from '../engine/server-names.js';
import { type AdminAnswer, AdminRefusal, answerWith, SUCCESS } from './admin-answer.js';
import type { AdminContext, RequestTable } from './admin-context.js';

type AdminFields = Readonly<Record<string, string>>;

/** Tools show the rates of three periods. @see StoreStatsService of the server */
const RATE_SECONDS = [10, 60, 600];
/** This broker does not count what it delivers, so there is no number that is right; Java parses this one. */
const NOT_COUNTED = 'NaN';
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

/** More than any test has ordered topics. */
const MAX_CONFIGS = 10_000;

export class ClusterRequests {
  readonly table: RequestTable = [
    [REQUEST_CODES.getBrokerRuntimeInfo, () => this.runtimeInfo()],
    [REQUEST_CODES.putKvConfig, ({ fields }) => this.putConfig(fields)],
    [REQUEST_CODES.getKvConfig, ({ fields }) => this.config(fields)],
    [REQUEST_CODES.deleteKvConfig, ({ fields }) => this.deleteConfig(fields)],
    [REQUEST_CODES.getBrokerClusterInfo, () => this.clusterInfo()],
    [REQUEST_CODES.getNameServerConfig, () => this.nameServerConfig()],
  ];

  /** What name servers keep by namespace and key, such as order configurations: as long as the broker runs. */
  private readonly configs = new Map<string, string>();
  private readonly startedAtMs: number;

  constructor(private readonly broker: AdminContext) {
    this.startedAtMs = this.nowMs();
  }

  /** Tools compute the broker's time from its start time and its uptime. */
  private runtimeInfo(): AdminAnswer {
    const seconds = Math.floor((this.nowMs() - this.startedAtMs) / SECOND_MS);
    const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
    const runtime = `[ ${Math.floor(hours / 24)} days, ${hours % 24} hours, ${minutes % 60} minutes, ${seconds % 60} seconds. ]`;
    const table = {
      brokerVersionDesc: RELEASE.name,
      brokerActive: 'true',
      bootTimestamp: String(this.startedAtMs),
      runtime,
      putTps: RATE_SECONDS.map((period) => this.storedWithin(period) / period).join(' '),
      getTransferredTps: RATE_SECONDS.map(() => NOT_COUNTED).join(' '),
      // As servers before 5.0 spell it.
      getTransferedTps: RATE_SECONDS.map(() => NOT_COUNTED).join(' '),
      ...NOTHING_WAITS,
      timerCongestNum: String(this.broker.engine.trail?.delayed.all.length ?? 0),
      timerEnqueueTps: NOT_COUNTED,
      timerDequeueTps: NOT_COUNTED,
    };
    return answerWith({ table });
  }

  private storedWithin(seconds: number): number {
    const { store, engine, clock } = this.broker;
    const sinceMs = clock.nowMs() - seconds * SECOND_MS;
    const counts = engine
      .topics()
      .flatMap((topic) =>
        queueRanges(store, topic).map((range) => range.maxOffset - offsetAt(store, topic.name, range, sinceMs)),
      );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Tools compare it with their own time. */
  private nowMs(): number {
    return this.broker.clientTime.toClient(this.broker.clock.nowMs());
  }

  private putConfig(fields: AdminFields): AdminAnswer {
    const key = keyOf(fields);
    if (!this.configs.has(key) && this.configs.size >= MAX_CONFIGS) {
      throw new AdminRefusal(RESPONSE_CODES.systemError, `there are ${MAX_CONFIGS} settings already`);
    }
    this.configs.set(key, fields.value ?? '');
    return SUCCESS;
  }

  private config(fields: AdminFields): AdminAnswer {
    const value = this.configs.get(keyOf(fields));
    if (value !== undefined) return { ...SUCCESS, fields: { value } };
    const remark = `No config item, Namespace: ${fields.namespace} Key: ${fields.key}`;
    return { code: RESPONSE_CODES.queryNotFound, remark };
  }

  private deleteConfig(fields: AdminFields): AdminAnswer {
    this.configs.delete(keyOf(fields));
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

function keyOf({ namespace = '', key = '' }: AdminFields): string {
  return JSON.stringify([namespace, key]);
}
