// Requests about topics: create, alter, show, list, delete, and their routes.

import { DELAYED_TOPIC, HALF_TOPIC, RETRY_PREFIX } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { MINUTE_MS } from '../../support/clock.js';
import { type QueueRange, queueRanges, storedSince } from '../engine/offsets.js';
import { BROKER_NAME, CLUSTER_NAME } from '../engine/server-names.js';
import type { TopicRecord } from '../store/records.js';
import { type AdminAnswer, AdminRejection, answerWith, answerWithMap, SUCCESS } from './admin-answer.js';
import type { AdminContext, RequestTable } from './admin-context.js';
import { delayedRange } from './kept-topics.js';
import {
  systemTopicConfig,
  type TopicConfig,
  topicAlterationOf,
  topicConfigOf,
  topicNameOf,
  topicRouteOf,
} from './topic-config.js';

/**
 * Topics that a real server creates at startup, with their queues. Nothing is stored in them: tools find the brokers by their routes before they
 * create a topic. @see TopicConfigManager of the server
 */
const STARTUP_TOPICS: ReadonlyMap<string, number> = new Map([
  [CLUSTER_NAME, 16],
  [BROKER_NAME, 1],
  ['TBW102', 8],
  // Clients send replies to its brokers.
  [`${CLUSTER_NAME}_REPLY_TOPIC`, 1],
]);

export class TopicRequests {
  readonly table: RequestTable = [
    [REQUEST_CODES.updateAndCreateTopic, (request) => this.alter(request)],
    [REQUEST_CODES.getAllTopicConfig, () => this.all()],
    [REQUEST_CODES.getRouteInfoByTopic, (request) => this.route(request)],
    [REQUEST_CODES.getTopicStatsInfo, (request) => this.ranges(request)],
    [REQUEST_CODES.getAllTopicListFromNameServer, () => this.names()],
    [REQUEST_CODES.deleteTopicInBroker, (request) => this.delete(request)],
    // The broker is its own name server, so a deleted topic has no route any more.
    [REQUEST_CODES.deleteTopicInNameServer, () => SUCCESS],
    [REQUEST_CODES.getTopicsByCluster, () => this.names()],
    [
      REQUEST_CODES.getSystemTopicListFromNameServer,
      () => answerWith({ brokerAddr: this.broker.address(), topicList: [BROKER_NAME, CLUSTER_NAME] }),
    ],
    [REQUEST_CODES.getSystemTopicListFromBroker, () => answerWith({ topicList: [...STARTUP_TOPICS.keys()] })],
    [REQUEST_CODES.getTopicConfig, ({ fields }) => answerWith(this.config(fields.topic))],
  ];

  constructor(private readonly broker: AdminContext) {}

  /** This request never creates a topic, even where sending would. @throws AdminRejection */
  topic(name = ''): TopicRecord {
    const topic = this.find(name);
    if (topic !== undefined) return topic;
    throw new AdminRejection(RESPONSE_CODES.topicNotExist, `No topic route info in name server for the topic: ${name}`);
  }

  find(name = ''): TopicRecord | undefined {
    const topic = this.broker.engine.findTopic(name);
    // A server has them from its start.
    const isOwn = name === DELAYED_TOPIC || name === HALF_TOPIC;
    return topic === undefined && isOwn ? { name, type: undefined, queues: 1 } : topic;
  }

  queues(topic: TopicRecord): QueueRange[] {
    const { store, engine } = this.broker;
    return topic.name === DELAYED_TOPIC ? [delayedRange(store, engine)] : queueRanges(store, topic);
  }

  private async alter(request: RemotingFrame): Promise<AdminAnswer> {
    this.broker.engine.alterTopic(topicAlterationOf(request));
    await this.broker.store.flush();
    return SUCCESS;
  }

  private async delete({ fields }: RemotingFrame): Promise<AdminAnswer> {
    this.broker.engine.administration.deleteTopic(topicNameOf(fields));
    await this.broker.store.flush();
    return SUCCESS;
  }

  private all(): AdminAnswer {
    const own = Array.from(STARTUP_TOPICS, ([name, queues]) => [name, systemTopicConfig(name, queues)]);
    const topics = this.broker.engine.topics().map((topic) => [topic.name, topicConfigOf(topic)]);
    return answerWith({ topicConfigTable: Object.fromEntries([...own, ...topics]) });
  }

  private names(): AdminAnswer {
    const { engine } = this.broker;
    // Tools find the groups by their retry topics; they would read the longer name of a retry topic as another group.
    const retries = engine.groups().map(({ name }) => RETRY_PREFIX + name);
    return answerWith({ topicList: [...new Set([...engine.topics().map(({ name }) => name), ...retries])] });
  }

  private route({ fields }: RemotingFrame): AdminAnswer {
    const broker = { name: BROKER_NAME, cluster: CLUSTER_NAME, address: this.broker.address() };
    const retries = this.broker.engine.findTopic(fields.topic ?? '') ? undefined : this.retryTopic(fields.topic);
    return answerWith(topicRouteOf(retries === undefined ? this.config(fields.topic) : topicConfigOf(retries), broker));
  }

  private config(name = ''): TopicConfig {
    const queues = this.broker.engine.findTopic(name) === undefined ? STARTUP_TOPICS.get(name) : undefined;
    return queues === undefined ? topicConfigOf(this.topic(name)) : systemTopicConfig(name, queues);
  }

  /** Tools find the brokers of a group by the routes of its retry topics, and ask for the route of each that consume stats name. */
  private retryTopic(name = ''): TopicRecord | undefined {
    const rest = name.startsWith(RETRY_PREFIX) ? name.slice(RETRY_PREFIX.length) : '';
    return this.isGroup(rest) || this.isGroupWithTopic(rest) ? { name, type: undefined, queues: 1 } : undefined;
  }

  private isGroup(name: string): boolean {
    return name !== '' && this.broker.engine.findGroup(name) !== undefined;
  }

  /** Both names may contain the separator. */
  private isGroupWithTopic(text: string): boolean {
    for (let at = text.indexOf('_'); at >= 0; at = text.indexOf('_', at + 1)) {
      if (this.isGroup(text.slice(0, at)) && this.broker.engine.findTopic(text.slice(at + 1)) !== undefined)
        return true;
    }
    return false;
  }

  private clientTimeOf(atMs: number | undefined): number {
    return atMs === undefined ? 0 : this.broker.clientTime.toClient(atMs);
  }

  private ranges({ fields }: RemotingFrame): AdminAnswer {
    const { store, clock } = this.broker;
    const record = this.topic(fields.topic);
    const topic = record.name;
    const queues = this.queues(record);
    const pairs = queues.map(({ queueId, minOffset, maxOffset, lastStoredAtMs }) => {
      const key = { brokerName: BROKER_NAME, queueId, topic };
      return [key, { lastUpdateTimestamp: this.clientTimeOf(lastStoredAtMs), maxOffset, minOffset }] as const;
    });
    const topicPutTps = storedSince(store, [record], clock.nowMs() - MINUTE_MS) / 60;
    return answerWithMap('offsetTable', pairs, { topicPutTps });
  }
}
