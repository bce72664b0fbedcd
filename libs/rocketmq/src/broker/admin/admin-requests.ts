// The request codes that the admin port serves, of those of a name server and of a broker: this broker is both.

import type { RemotingFrame } from '../../protocol/remoting-frame.js';
import { BROKER_NAME } from '../engine/delayed-messages.js';
import type { Engine } from '../engine/engine.js';
import type { TopicRecord } from '../engine/records.js';
import { Refusal } from '../engine/refusal.js';
import type { Store } from '../store/store.js';
import { type AdminAnswer, AdminRefusal, answerWith, RESPONSE_CODES, SUCCESS } from './admin-answer.js';
import { groupConfigOf, groupNameOf, groupOf } from './group-config.js';
import { topicAlterationOf, topicConfigOf, topicNameOf, topicRouteOf } from './topic-config.js';

/** The cluster that the broker says it is of: the real server's default. */
const CLUSTER_NAME = 'DefaultCluster';

/** What the requests work on. */
export interface AdminContext {
  readonly engine: Engine;
  readonly store: Store;
  /** Where the admin port is, as `host:port`: the broker's own address for tools. */
  address(): string;
}

export class AdminRequests {
  constructor(private readonly broker: AdminContext) {}

  /** @throws AdminRefusal */
  async answer(request: RemotingFrame): Promise<AdminAnswer> {
    switch (request.code) {
      case 17:
        return this.changed(() => this.broker.engine.alterTopic(topicAlterationOf(request)));
      case 200:
        return this.changed(() => this.broker.engine.alterGroup(groupOf(request)));
      case 105:
        return answerWith(topicRouteOf(this.topic(request), this.ownAddress()));
      case 106:
        return this.clusterInfo();
      case 201:
        return this.allGroups();
      case 351:
        return answerWith(topicConfigOf(this.topic(request)));
      case 352:
        return this.group(request);
      default: {
        const message = `request code ${request.code} is not supported by the embedded broker`;
        throw new AdminRefusal(RESPONSE_CODES.requestCodeNotSupported, message);
      }
    }
  }

  private async changed(change: () => void): Promise<AdminAnswer> {
    change();
    await this.broker.store.flush();
    return SUCCESS;
  }

  /** Asking never makes a topic, also where sending to it would. */
  private topic({ fields }: RemotingFrame): TopicRecord {
    const name = topicNameOf(fields);
    const topic = this.broker.engine.findTopic(name);
    if (topic !== undefined) return topic;
    throw new AdminRefusal(RESPONSE_CODES.topicNotExist, `No topic route info in name server for the topic: ${name}`);
  }

  /** Unlike other questions it makes a missing group, as on the real server; a strict broker refuses. */
  private group({ fields }: RemotingFrame): AdminAnswer {
    const name = groupNameOf(fields.group);
    try {
      return answerWith(groupConfigOf(this.broker.engine.group(name)));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new AdminRefusal(RESPONSE_CODES.subscriptionGroupNotExist, error.message);
    }
  }

  private allGroups(): AdminAnswer {
    const groups = this.broker.engine.groups().map((group) => [group.name, groupConfigOf(group)]);
    return answerWith({ subscriptionGroupTable: Object.fromEntries(groups), forbiddenTable: {} });
  }

  private clusterInfo(): AdminAnswer {
    const { name: brokerName, cluster, address } = this.ownAddress();
    const broker = { brokerName, cluster, brokerAddrs: { 0: address }, enableActingMaster: false };
    return answerWith({ brokerAddrTable: { [brokerName]: broker }, clusterAddrTable: { [cluster]: [brokerName] } });
  }

  private ownAddress() {
    return { name: BROKER_NAME, cluster: CLUSTER_NAME, address: this.broker.address() };
  }
}
