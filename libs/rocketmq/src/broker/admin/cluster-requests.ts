// Requests about the cluster, which consists of this broker, and about the broker itself.

import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { SECOND_MS } from '../../support/clock.js';
import { BROKER_NAME, CLUSTER_NAME, RELEASE } from '../engine/server-names.js';
import { type AdminAnswer, answerWith, SUCCESS } from './admin-answer.js';
import type { AdminContext, RequestTable } from './admin-context.js';

export class ClusterRequests {
  readonly table: RequestTable = [
    [REQUEST_CODES.getBrokerRuntimeInfo, () => this.runtimeInfo()],
    // Name servers also keep settings by key. There are none here, so there is nothing to delete.
    [REQUEST_CODES.deleteKvConfig, () => SUCCESS],
    [REQUEST_CODES.getBrokerClusterInfo, () => this.clusterInfo()],
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
    const table = {
      brokerVersionDesc: RELEASE.name,
      brokerActive: 'true',
      bootTimestamp: String(this.startedAtMs),
      runtime,
    };
    return answerWith({ table });
  }

  /** Tools compare it with their own time. */
  private nowMs(): number {
    return this.broker.clientTime.toClient(this.broker.clock.nowMs());
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
