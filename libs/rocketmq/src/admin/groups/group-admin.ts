// Creates, alters, describes, lists and deletes consumer groups of a cluster. The broker's formats are in groups.ts.

import { consumerGroupNameProblem, deadLetterTopicOf, RETRY_PREFIX } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { jsonOf, textsIn } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { type GroupConfig, isPaused } from '../../remoting/group-config.js';
import { isTooOld } from '../../remoting/remoting-client.js';
import { commandLine } from '../../support/command-line.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import { type OwnChecks, trueOrFalse } from '../../support/options.js';
import { AlreadyExistsError } from '../admin-errors.js';
import { checkName } from '../checks.js';
import { type BrokerFailure, foundOn, fromEach, onEach } from '../each-broker.js';
import { isRetryTopicOf, isSystemGroup } from '../system-names.js';
import type { TopicAdmin } from '../topics/topic-admin.js';
import { CREATE_CHECKS, type CreateOptions } from '../topics/topics.js';
import { checkPause, PauseNotes, type PauseRequest } from './group-pauses.js';
import {
  checkHasLiteTopics,
  checkNewGroup,
  describeGroup,
  type GroupDescription,
  groupConfigsIn,
  groupDifferences,
  type NewGroup,
  updateGroupRequest,
} from './groups.js';

export interface ListGroupsOptions extends CallOptions {
  /** Include the server's own groups. Default: false. */
  readonly includeSystem?: boolean;
}

const LIST_CHECKS: OwnChecks<ListGroupsOptions> = { includeSystem: trueOrFalse };

export interface GroupList {
  /** By name. */
  readonly groups: readonly GroupDescription[];
  /** Brokers that did not answer; the result lacks groups that only they have. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

export interface DeleteGroupOptions extends CallOptions {
  /** Also delete the dead letters of the group permanently. Default: false, they stay in their topic `%DLQ%<group>`. */
  readonly withDeadLetters?: boolean;
}

const DELETE_CHECKS: OwnChecks<DeleteGroupOptions> = { withDeadLetters: trueOrFalse };

/** The result of a deletion. */
export interface DeletedGroup {
  readonly consumerGroup: string;
  /** The brokers that had the group, by name. Empty when it did not exist. */
  readonly deletedOn: readonly string[];
  /** The topics deleted with it: its pending retries and, if requested, its dead letters. */
  readonly deletedTopics: readonly string[];
}

/** A broker, and the group there; undefined where it does not exist. */
interface ExistingOn {
  readonly broker: MasterBroker;
  readonly config: GroupConfig | undefined;
}

export class GroupAdmin {
  private readonly notes: PauseNotes;

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly topics: TopicAdmin,
  ) {
    this.notes = new PauseNotes(cluster);
  }

  async create(definition: NewGroup, options: CreateOptions = {}): Promise<void> {
    checkNewGroup(definition);
    const { consumerGroup } = definition;
    await this.cluster.run(
      `create consumer group ${consumerGroup}`,
      options,
      async (deadline) => {
        const { ifExists = 'reject' } = options;
        const brokers = await this.cluster.masters(deadline);
        const found = await foundOn(brokers, (broker) => this.config(broker, consumerGroup, deadline));
        if (definition.lite !== undefined) {
          for (const broker of brokers)
            checkHasLiteTopics(definition, broker, await this.cluster.releaseOf(broker, deadline));
        }
        const existing = describeGroup(consumerGroup, found);
        const differences = existing === undefined ? [] : groupDifferences(existing, definition);
        if (ifExists === 'reject' && differences.length > 0) {
          throw new AlreadyExistsError(`group "${consumerGroup}"`, differences);
        }
        await onEach(deadline.what, brokers, async (broker) => {
          const config = found.find((one) => one.broker === broker)?.config;
          if (config !== undefined && ifExists !== 'update') return;
          const wanted = config === undefined ? likeElsewhere(definition, existing) : definition;
          await this.cluster.call(broker, updateGroupRequest(wanted, config), deadline);
        });
      },
      CREATE_CHECKS,
    );
  }

  async describe(consumerGroup: string, options?: CallOptions): Promise<GroupDescription | undefined> {
    checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
    return this.cluster.run(`describe consumer group ${consumerGroup}`, options, async (deadline) => {
      const brokers = await this.cluster.masters(deadline);
      const found = await foundOn(brokers, (broker) => this.config(broker, consumerGroup, deadline));
      return this.explained(describeGroup(consumerGroup, found), deadline);
    });
  }

  async list(options: ListGroupsOptions = {}): Promise<GroupList> {
    return this.cluster.run(
      'list consumer groups',
      options,
      async (deadline) => {
        const { answers, failures } = await fromEach(this.cluster, deadline, (broker, own) =>
          this.configs(broker, own),
        );
        const names = [...new Set(answers.flatMap(({ value }) => [...value.keys()]))].sort();
        const groups = names
          .filter((name) => options.includeSystem === true || !isSystemGroup(name))
          .flatMap((name) => {
            const configs = answers.flatMap(({ broker, value }) => {
              const config = value.get(name);
              return config === undefined ? [] : [{ broker, config }];
            });
            return describeGroup(name, configs) ?? [];
          });
        return { groups: await Promise.all(groups.map((group) => this.explained(group, deadline))), failures };
      },
      LIST_CHECKS,
    );
  }

  async delete(consumerGroup: string, options: DeleteGroupOptions = {}): Promise<DeletedGroup> {
    checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
    return this.cluster.run(
      `delete consumer group ${consumerGroup}`,
      options,
      async (deadline) => {
        const brokers = await this.cluster.masters(deadline);
        // Read before the offsets are deleted: they distinguish a retry topic of this group from one of a group with a longer name.
        const topics = await this.topicsToDelete(consumerGroup, brokers, options, deadline);
        const deletedTopics: string[] = [];
        for (const topic of topics) {
          const { deletedOn } = await this.topics.deleteEverywhere(topic, deadline);
          if (deletedOn.length > 0) deletedTopics.push(topic);
        }
        const deletedOn: string[] = [];
        let wasPaused = false;
        await onEach(deadline.what, brokers, async (broker) => {
          const existing = await this.config(broker, consumerGroup, deadline);
          // The second name is that of 4.9; older brokers keep the offsets.
          const fields = { groupName: consumerGroup, cleanOffset: 'true', removeOffset: 'true' };
          await this.cluster.call(broker, { code: REQUEST_CODES.deleteSubscriptionGroup, fields }, deadline);
          if (existing !== undefined) deletedOn.push(broker.name);
          wasPaused ||= existing !== undefined && isPaused(existing);
        });
        if (wasPaused) await this.notes.remove(consumerGroup, deadline);
        return { consumerGroup, deletedOn, deletedTopics };
      },
      DELETE_CHECKS,
    );
  }

  async pause(consumerGroup: string, pause: PauseRequest, options?: CallOptions): Promise<void> {
    checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
    checkPause(pause);
    await this.cluster.run(`pause consumer group ${consumerGroup}`, options, async (deadline) => {
      const brokers = await this.existingOn(consumerGroup, deadline);
      // First: consumers look for the reason as soon as a broker rejects their polls.
      await this.notes.write(consumerGroup, pause, deadline);
      await this.enable(consumerGroup, brokers, false, deadline);
    });
  }

  async resume(consumerGroup: string, options?: CallOptions): Promise<void> {
    checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
    await this.cluster.run(`resume consumer group ${consumerGroup}`, options, async (deadline) => {
      const brokers = await this.existingOn(consumerGroup, deadline);
      await this.enable(consumerGroup, brokers, true, deadline);
      await this.notes.remove(consumerGroup, deadline);
    });
  }

  /** A broker that lacks the group would create it for its next consumer, so a pause creates it there. */
  private async enable(
    consumerGroup: string,
    brokers: readonly ExistingOn[],
    consumeEnable: boolean,
    deadline: Deadline,
  ): Promise<void> {
    const configs = brokers.flatMap(({ broker, config }) => (config === undefined ? [] : [{ broker, config }]));
    const definition = likeElsewhere({ consumerGroup }, describeGroup(consumerGroup, configs));
    const configOf = new Map(brokers.map(({ broker, config }) => [broker, config]));
    await onEach(deadline.what, [...configOf.keys()], async (broker) => {
      const config = configOf.get(broker);
      if (config === undefined ? consumeEnable : isPaused(config) !== consumeEnable) return;
      const request = updateGroupRequest(config === undefined ? definition : { consumerGroup }, {
        ...config,
        consumeEnable,
      });
      await this.cluster.call(broker, request, deadline);
    });
  }

  /** @throws UsageError `UNKNOWN_GROUP` when no broker has it */
  private async existingOn(consumerGroup: string, deadline: Deadline): Promise<readonly ExistingOn[]> {
    const brokers = await this.cluster.masters(deadline);
    const found = await Promise.all(
      brokers.map(async (broker) => ({ broker, config: await this.config(broker, consumerGroup, deadline) })),
    );
    if (found.some(({ config }) => config !== undefined)) return found;
    const text = `consumer group "${consumerGroup}" does not exist; nothing was changed; list the groups with: ${commandLine('group', 'list')}`;
    throw new UsageError('UNKNOWN_GROUP', text, 'consumerGroup');
  }

  /** With the note about its pause. */
  private async explained<T extends GroupDescription | undefined>(group: T, deadline: Deadline): Promise<T> {
    if (group?.pause === undefined) return group;
    return { ...group, pause: await this.notes.read(group.consumerGroup, deadline) };
  }

  private async topicsToDelete(
    group: string,
    brokers: readonly MasterBroker[],
    { withDeadLetters = false }: DeleteGroupOptions,
    deadline: Deadline,
  ): Promise<string[]> {
    const consumed = await Promise.all(
      brokers.map(async (broker) => {
        const question = { code: REQUEST_CODES.queryTopicsByConsumer, fields: { group } };
        try {
          return textsIn(jsonOf(await this.cluster.call(broker, question, deadline)).topicList);
        } catch (error) {
          // A broker of 4.x keeps the retries of every topic of a group in one topic.
          if (isTooOld(error)) return [];
          throw error;
        }
      }),
    );
    const retries = consumed.flat().filter((topic) => isRetryTopicOf(group, topic));
    const deadLetters = withDeadLetters ? [deadLetterTopicOf(group)] : [];
    return [...new Set([RETRY_PREFIX + group, ...retries, ...deadLetters])];
  }

  /** Uses code 201 (all groups), since code 352 (one group) would create a missing one. */
  private async configs(broker: MasterBroker, deadline: Deadline): Promise<ReadonlyMap<string, GroupConfig>> {
    return groupConfigsIn(
      await this.cluster.call(broker, { code: REQUEST_CODES.getAllSubscriptionGroupConfig }, deadline),
    );
  }

  private async config(broker: MasterBroker, group: string, deadline: Deadline): Promise<GroupConfig | undefined> {
    return (await this.configs(broker, deadline)).get(group);
  }
}

/** A broker that lacks the group gets the settings of the others where none are given. */
function likeElsewhere(given: NewGroup, existing: GroupDescription | undefined): NewGroup {
  if (existing === undefined) return given;
  const {
    fifo = existing.fifo,
    maxDeliveryAttempts = existing.maxDeliveryAttempts,
    backoff = existing.backoff,
    lite = existing.lite,
  } = given;
  return { consumerGroup: given.consumerGroup, fifo, maxDeliveryAttempts, backoff, lite };
}
