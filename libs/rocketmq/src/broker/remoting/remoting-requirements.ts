// The permissions that each request of a client of the remoting protocol requires, as on the real server with ACL 2.0.
// @see DefaultAuthorizationContextBuilder

import { RETRY_PREFIX } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import type { Access } from '../access/users.js';
import { heartbeatIn } from './heartbeat.js';
import { objectIn, objectsIn, textIn } from './request-body.js';

type Requirement = (request: RemotingFrame) => readonly Access[];

const REQUIREMENTS: ReadonlyMap<number, Requirement> = new Map<number, Requirement>([
  [REQUEST_CODES.sendMessage, ({ fields }) => [sending(fields.topic)]],
  [REQUEST_CODES.sendMessageV2, ({ fields }) => [sending(fields.b)]],
  [REQUEST_CODES.sendReplyMessage, ({ fields }) => [sending(fields.topic)]],
  [REQUEST_CODES.sendReplyMessageV2, ({ fields }) => [sending(fields.b)]],
  [REQUEST_CODES.sendBatchMessage, ({ fields }) => [sending(fields.b)]],
  [REQUEST_CODES.recallMessage, ({ fields }) => [sending(fields.topic)]],
  // Clients before 5.3 do not name the topic.
  [REQUEST_CODES.endTransaction, ({ fields }) => (fields.topic ? [sending(fields.topic)] : [])],
  [REQUEST_CODES.pullMessage, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.litePullMessage, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.queryConsumerOffset, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.updateConsumerOffset, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.getTopicConfig, ({ fields }) => [reading('Topic', fields.topic)]],
  [REQUEST_CODES.getSubscriptionGroupConfig, ({ fields }) => [reading('Group', fields.group)]],
  [REQUEST_CODES.getMaxOffset, ({ fields }) => [reading('Topic', fields.topic)]],
  [REQUEST_CODES.getMinOffset, ({ fields }) => [reading('Topic', fields.topic)]],
  [REQUEST_CODES.getEarliestMsgStoreTime, ({ fields }) => [reading('Topic', fields.topic)]],
  [REQUEST_CODES.searchOffsetByTimestamp, ({ fields }) => [reading('Topic', fields.topic)]],
  [REQUEST_CODES.popMessage, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.popLiteMessage, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.peekMessage, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.notification, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.pollingInfo, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.ackMessage, ({ fields }) => consumption(fields)],
  [REQUEST_CODES.changeMessageInvisibleTime, ({ fields }) => consumption(fields)],
  [
    REQUEST_CODES.batchAckMessage,
    (request) => objectsIn(objectIn(request).acks).flatMap(({ c, t }) => consumption({ consumerGroup: c, topic: t })),
  ],
  [
    REQUEST_CODES.liteSubscriptionCtl,
    (request) =>
      objectsIn(objectIn(request).subscriptionSet).flatMap(({ group, topic }) =>
        consumption({ consumerGroup: group, topic }),
      ),
  ],
  [REQUEST_CODES.queryAssignment, (request) => consumption(objectIn(request))],
  [REQUEST_CODES.consumerSendMessageBack, ({ fields }) => [consuming(fields.group)]],
  [REQUEST_CODES.getConsumerListByGroup, ({ fields }) => [consuming(fields.consumerGroup)]],
  [REQUEST_CODES.unregisterClient, ({ fields }) => (fields.consumerGroup ? [consuming(fields.consumerGroup)] : [])],
  [REQUEST_CODES.checkClientConfig, () => []],
  [REQUEST_CODES.lockBatchMq, (request) => [consuming(groupOfLock(request))]],
  [REQUEST_CODES.unlockBatchMq, (request) => [consuming(groupOfLock(request))]],
  [
    REQUEST_CODES.heartBeat,
    (request) =>
      heartbeatIn(request).consumers.flatMap(({ group, subscriptions }) => [
        consuming(group),
        ...subscriptions.map(({ topic }) => receiving(topic)),
      ]),
  ],
]);

/** Undefined for a request that is administration. @throws AdminRejection for one that cannot be read */
export function remotingRequirementsOf(request: RemotingFrame): readonly Access[] | undefined {
  return REQUIREMENTS.get(request.code)?.(request);
}

function sending(topic = ''): Access {
  return retriesOf(topic) ?? { kind: 'Topic', name: topic, actions: ['Pub'] };
}

function receiving(topic = ''): Access {
  return retriesOf(topic) ?? { kind: 'Topic', name: topic, actions: ['Sub'] };
}

function consumption({ consumerGroup, topic }: Readonly<Record<string, unknown>>): Access[] {
  return [consuming(textIn(consumerGroup)), receiving(textIn(topic))];
}

function reading(kind: Access['kind'], name = ''): Access {
  return { kind, name, actions: ['Get'] };
}

function consuming(group = ''): Access {
  return { kind: 'Group', name: group, actions: ['Sub'] };
}

/** The retries of a group are the group's. */
function retriesOf(topic: string): Access | undefined {
  return topic.startsWith(RETRY_PREFIX) ? consuming(topic.slice(RETRY_PREFIX.length)) : undefined;
}

function groupOfLock(request: RemotingFrame): string {
  return String(objectIn(request).consumerGroup);
}
