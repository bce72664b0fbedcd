// Requests about consumer groups: create, alter, show, delete, and their connected consumers.

import { ClientType, Code, FilterType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { DEFAULT_BACKOFF } from '../../protocol/model/delay-levels.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { DEFAULT_MAX_DELIVERY_ATTEMPTS } from '../engine/registry.js';
import { Rejection } from '../engine/rejection.js';
import { RELEASE } from '../engine/server-names.js';
import { type ClientSession, subscriptionOf } from '../services/sessions.js';
import type { GroupRecord } from '../store/records.js';
import { type AdminAnswer, AdminRejection, answerWith, SUCCESS } from './admin-answer.js';
import type { AdminContext, RequestTable } from './admin-context.js';
import { groupConfigOf, groupNameOf, groupOf } from './group-config.js';

/** The group with which tools read topics; every server has it. */
export const TOOLS_GROUP: GroupRecord = {
  name: 'TOOLS_CONSUMER',
  fifo: false,
  maxDeliveryAttempts: DEFAULT_MAX_DELIVERY_ATTEMPTS,
  backoff: DEFAULT_BACKOFF,
};

export class GroupRequests {
  readonly table: RequestTable = [
    [REQUEST_CODES.updateAndCreateSubscriptionGroup, (request) => this.alter(request)],
    [REQUEST_CODES.getAllSubscriptionGroupConfig, () => this.all()],
    [REQUEST_CODES.getConsumerConnectionList, (request) => this.connections(request)],
    [REQUEST_CODES.deleteSubscriptionGroup, (request) => this.delete(request)],
    [REQUEST_CODES.getConsumerRunningInfo, (request) => this.runningInfo(request)],
    [
      REQUEST_CODES.getSubscriptionGroupConfig,
      ({ fields }) => answerWith(groupConfigOf(this.makeGroup(groupNameOf(fields.group)))),
    ],
  ];

  constructor(private readonly broker: AdminContext) {}

  private async alter(request: RemotingFrame): Promise<AdminAnswer> {
    this.broker.engine.alterGroup(groupOf(request, (name) => this.broker.engine.findGroup(name)));
    await this.broker.store.flush();
    return SUCCESS;
  }

  /** The offsets stay unless the request says otherwise, as it does not by default. @see DeleteSubscriptionGroupRequestHeader of the server */
  private async delete({ fields }: RemotingFrame): Promise<AdminAnswer> {
    const name = groupNameOf(fields.groupName);
    const isClean = fields.cleanOffset === 'true' || fields.removeOffset === 'true';
    this.broker.engine.administration.deleteGroup(name, !isClean);
    await this.broker.store.flush();
    return SUCCESS;
  }

  /** Unlike other read requests it creates a missing group, as on the real server; a strict broker rejects it. */
  private makeGroup(name: string): GroupRecord {
    try {
      return this.broker.engine.group(name);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      throw new AdminRejection(RESPONSE_CODES.subscriptionGroupNotExist, error.message);
    }
  }

  private all(): AdminAnswer {
    const groups = [TOOLS_GROUP, ...this.broker.engine.groups()];
    const table = groups.map((group) => [group.name, groupConfigOf(group)]);
    return answerWith({ subscriptionGroupTable: Object.fromEntries(table), forbiddenTable: {} });
  }

  /** The group's subscriptions and type are those that a consumer reported last, as on the real server. @see ClientActivity of the server */
  private connections({ fields }: RemotingFrame): AdminAnswer {
    const group = groupNameOf(fields.consumerGroup);
    const consumers = this.broker.sessions.consumersOf(group);
    const newest = consumers.at(-1);
    if (newest === undefined) {
      throw new AdminRejection(RESPONSE_CODES.consumerNotOnline, `the consumer group[${group}] not online`);
    }
    return answerWith({
      connectionSet: consumers.map(({ clientId, origin: { address, language } }) => {
        return { clientAddr: address, clientId, language, version: RELEASE.number };
      }),
      consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
      consumeType: newest.settings.clientType === ClientType.SIMPLE_CONSUMER ? 'CONSUME_ACTIVELY' : 'CONSUME_PASSIVELY',
      messageModel: 'CLUSTERING',
      subscriptionTable: Object.fromEntries(subscriptionsOf(newest).map((one) => [one.topic, one])),
    });
  }

  /**
   * The subscriptions of one consumer, which the real server does not know of gRPC consumers; with `jstackEnable` also what it reports of
   * itself, which the real server relays.
   */
  private async runningInfo({ fields }: RemotingFrame): Promise<AdminAnswer> {
    const group = groupNameOf(fields.consumerGroup);
    const session = this.broker.sessions.consumersOf(group).find(({ clientId }) => clientId === fields.clientId);
    if (session === undefined) {
      const message = `The Consumer <${group}> <${fields.clientId}> not online`;
      throw new AdminRejection(RESPONSE_CODES.systemError, message);
    }
    const info = { properties: {}, mqTable: {}, statusTable: {}, subscriptionSet: subscriptionsOf(session) };
    return answerWith(fields.jstackEnable === 'true' ? { ...info, jstack: await this.reportOf(session) } : info);
  }

  private async reportOf(session: ClientSession): Promise<string> {
    const answer = await this.broker.sessions.commands.ask(session, (nonce) => {
      return { status: undefined, command: { $case: 'printThreadStackTraceCommand', value: { nonce } } };
    });
    const { status, command } = answer ?? {};
    if (status?.code === Code.OK && command?.$case === 'threadStackTrace') return command.value.threadStackTrace ?? '';
    const why = answer === undefined ? 'it did not answer in time' : `it answered "${status?.message ?? ''}"`;
    throw new AdminRejection(RESPONSE_CODES.systemError, `the consumer <${session.clientId}> does not report: ${why}`);
  }
}

/** @see SubscriptionData of the server */
function subscriptionsOf(session: ClientSession) {
  return (subscriptionOf(session)?.subscriptions ?? []).map(({ topic, expression }) => ({
    classFilterMode: false,
    expressionType: expression?.type === FilterType.SQL ? 'SQL92' : 'TAG',
    subString: expression?.expression || '*',
    topic: topic?.name ?? '',
  }));
}
