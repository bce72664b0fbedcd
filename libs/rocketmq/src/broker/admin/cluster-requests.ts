// Requests about the cluster, which this broker is alone, and about the broker itself.

import { BROKER_NAME } from '../engine/delayed-messages.js';
import { type AdminAnswer, answerWith, SUCCESS } from './admin-answer.js';
import type { AdminContext, RequestTable } from './admin-context.js';

/** The cluster that the broker says it is of: the real server's default. */
export const CLUSTER_NAME = 'DefaultCluster';
/** The version whose behaviour this broker has. */
const VERSION = 'V5_5_0';

export class ClusterRequests {
  readonly table: RequestTable = [
    [28, () => answerWith({ table: { brokerVersionDesc: VERSION, brokerActive: 'true' } })],
    // Name servers keep settings by key, too; there are none here, so there is nothing to delete.
    [102, () => SUCCESS],
    [106, () => this.clusterInfo()],
  ];

  constructor(private readonly broker: AdminContext) {}

  private clusterInfo(): AdminAnswer {
    const brokerAddrs = { 0: this.broker.address() };
    const broker = { brokerName: BROKER_NAME, cluster: CLUSTER_NAME, brokerAddrs, enableActingMaster: false };
    return answerWith({
      brokerAddrTable: { [BROKER_NAME]: broker },
      clusterAddrTable: { [CLUSTER_NAME]: [BROKER_NAME] },
    });
  }
}
