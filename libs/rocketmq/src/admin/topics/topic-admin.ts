// Creates, alters, describes, lists and deletes topics of a cluster. The broker's formats are in topics.ts.

import { topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { isOf4 } from '../../protocol/remoting/releases.js';
import { jsonOf, textsIn, undefinedWhen } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { isTooOld, tooOld } from '../../remoting/remoting-client.js';
import { SystemClock, sleep } from '../../support/clock.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { type OwnChecks, trueOrFalse } from '../../support/options.js';
import { AlreadyExistsError } from '../admin-errors.js';
import { checkName } from '../checks.js';
import { type BrokerFailure, foundOn, fromEach, onEach } from '../each-broker.js';
import { compareText } from '../sort-order.js';
import { kindOfTopic, type TopicKind } from '../system-names.js';
import type { TopicLayouts } from './topic-layouts.js';
import {
  CREATE_CHECKS,
  type CreateOptions,
  checkNewTopic,
  checkTypeGiven,
  describeTopic,
  type NewTopic,
  parseTopicConfig,
  type TopicConfig,
  type TopicDescription,
  topicConfigIn,
  topicConfigsIn,
  topicDifferences,
  updateTopicRequest,
} from './topics.js';

export interface ListTopicsOptions extends CallOptions {
  /** Include the server's own topics: retries, dead letters and internal ones. Default: false. */
  readonly includeSystem?: boolean;
}

const LIST_CHECKS: OwnChecks<ListTopicsOptions> = { includeSystem: trueOrFalse };

/** A topic in a list. */
export interface ListedTopic extends TopicDescription {
  readonly kind: TopicKind;
}

export interface TopicList {
  /** By name. */
  readonly topics: readonly ListedTopic[];
  /** Brokers that did not answer; the result lacks topics that only they have. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** The result of a deletion. */
export interface DeletedTopic {
  readonly topic: string;
  /** The brokers that had the topic, by name. Empty when it did not exist. */
  readonly deletedOn: readonly string[];
}

const ROUTE_POLL_MS = 100;

export class TopicAdmin {
  private readonly clock = new SystemClock();

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly layouts: TopicLayouts,
  ) {}

  async create(definition: NewTopic, options: CreateOptions = {}): Promise<void> {
    checkNewTopic(definition);
    await this.cluster.run(
      `create topic ${definition.topic}`,
      options,
      async (deadline) => {
        const { topic } = definition;
        const { ifExists = 'reject' } = options;
        const brokers = await this.cluster.masters(deadline);
        await this.assertTypeKept(definition, brokers, deadline);
        const found = await foundOn(brokers, (broker) => this.config(broker, topic, deadline));
        const existing = found.length === 0 ? undefined : describeTopic(topic, found);
        checkTypeGiven(definition, brokers, existing);
        const differences = existing === undefined ? [] : topicDifferences(existing, definition);
        if (ifExists === 'reject' && differences.length > 0)
          throw new AlreadyExistsError(`topic "${topic}"`, differences);
        const change = async (broker: MasterBroker): Promise<void> => {
          const config = found.find((one) => one.broker === broker)?.config;
          if (config !== undefined && ifExists !== 'update') return;
          const { queues = config === undefined ? existing?.queues : undefined } = definition;
          await this.cluster.call(broker, updateTopicRequest({ ...definition, queues }, config), deadline);
        };
        const afterwards = async (): Promise<void> => {
          await this.untilRouted(topic, brokers, deadline);
          if (definition.layout !== undefined) await this.layouts.put(topic, definition.layout, deadline);
        };
        await onEach(deadline.what, brokers, change, afterwards);
      },
      CREATE_CHECKS,
    );
  }

  /** A broker of 4.x has no types: it takes all messages that one can have there, which those of some types are not. */
  private async assertTypeKept(
    { topic, type }: NewTopic,
    brokers: readonly MasterBroker[],
    deadline: Deadline,
  ): Promise<void> {
    if (type !== 'priority' && type !== 'lite') return;
    for (const broker of brokers) {
      const release = await this.cluster.releaseOf(broker, deadline);
      if (isOf4(release)) throw tooOld(`create topic ${topic} of type ${type}`, broker.address, release);
    }
  }

  async describe(topic: string, options?: CallOptions): Promise<TopicDescription | undefined> {
    checkName('topic', topic, topicNameProblem(topic));
    return this.cluster.run(`describe topic ${topic}`, options, async (deadline) => {
      const route = await this.cluster.route(topic, deadline);
      const brokers = this.cluster.ofCluster(route?.brokers ?? []);
      const found = await foundOn(brokers, (broker) => this.config(broker, topic, deadline));
      return found.length === 0 ? undefined : describeTopic(topic, found);
    });
  }

  async list(options: ListTopicsOptions = {}): Promise<TopicList> {
    return this.cluster.run(
      'list topics',
      options,
      async (deadline) => {
        const { answers, failures } = await fromEach(this.cluster, deadline, async (broker, own) => {
          const [configs, system] = await Promise.all([
            this.cluster.call(broker, { code: REQUEST_CODES.getAllTopicConfig }, own),
            this.cluster.call(broker, { code: REQUEST_CODES.getSystemTopicListFromBroker }, own),
          ]);
          return { configs: topicConfigsIn(configs), system: textsIn(jsonOf(system).topicList) };
        });
        const system = new Set(answers.flatMap(({ value }) => value.system));
        const found = new Map<string, { broker: MasterBroker; config: TopicConfig }[]>();
        for (const { broker, value } of answers) {
          for (const [topic, config] of value.configs)
            found.set(topic, [...(found.get(topic) ?? []), { broker, config }]);
        }
        const topics = [...found]
          .map(([topic, configs]) => ({ ...describeTopic(topic, configs), kind: kindOfTopic(topic, system) }))
          .filter(({ kind }) => options.includeSystem === true || kind === 'user')
          .sort((left, right) => compareText(left.topic, right.topic));
        return { topics, failures };
      },
      LIST_CHECKS,
    );
  }

  async delete(topic: string, options?: CallOptions): Promise<DeletedTopic> {
    checkName('topic', topic, topicNameProblem(topic));
    return this.cluster.run(`delete topic ${topic}`, options, (deadline) => this.deleteEverywhere(topic, deadline));
  }

  /** Deletes a topic first from the brokers, since the name servers would register it again from a broker that still has it. */
  async deleteEverywhere(topic: string, deadline: Deadline): Promise<DeletedTopic> {
    const deletedOn: string[] = [];
    const brokers = await this.cluster.masters(deadline);
    const change = async (broker: MasterBroker): Promise<void> => {
      const existing = await this.config(broker, topic, deadline);
      await this.cluster.call(broker, { code: REQUEST_CODES.deleteTopicInBroker, fields: { topic } }, deadline);
      if (existing !== undefined) deletedOn.push(broker.name);
    };
    const afterwards = async (): Promise<void> => {
      // Without the name of the cluster the name server would also delete a topic of the same name in another cluster.
      const clusterName = brokers[0]?.cluster ?? '';
      await this.cluster.callNameServers(
        { code: REQUEST_CODES.deleteTopicInNameServer, fields: { topic, clusterName } },
        deadline,
      );
      await this.layouts.removeNow(topic, deadline);
    };
    await onEach(deadline.what, brokers, change, afterwards);
    return { topic, deletedOn };
  }

  /** The topic on one broker. This request does not create it. */
  async config(broker: MasterBroker, topic: string, deadline: Deadline): Promise<TopicConfig | undefined> {
    const asked = this.cluster.call(broker, { code: REQUEST_CODES.getTopicConfig, fields: { topic } }, deadline);
    try {
      const answer = await undefinedWhen(RESPONSE_CODES.topicNotExist, asked);
      return answer === undefined ? undefined : parseTopicConfig(answer);
    } catch (error) {
      if (!isTooOld(error)) throw error;
      return topicConfigIn(await this.cluster.call(broker, { code: REQUEST_CODES.getAllTopicConfig }, deadline), topic);
    }
  }

  private async untilRouted(topic: string, brokers: readonly MasterBroker[], deadline: Deadline): Promise<void> {
    for (;;) {
      const route = await this.cluster.route(topic, deadline);
      if (brokers.every((broker) => route?.queues.has(broker.name))) return;
      await sleep(this.clock, ROUTE_POLL_MS, deadline.signal);
    }
  }
}
