// Consumers of lite topics: which group they need, and the requests by which a broker learns what they subscribe to.
// @see ClientProcessor and LiteSubscriptionService of the proxy

import {
  ClientType,
  Code,
  LiteSubscriptionAction,
  type Settings,
  type Status,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest } from '../protocol/grpc/rpc.js';
import type { LiteGroup } from '../protocol/model/lite-group.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { releaseName } from '../protocol/remoting/releases.js';
import { settingIn } from '../remoting/answers.js';
import type { RemotingRequest } from '../remoting/remoting-request.js';
import { FIRST_WITH } from './broker-release.js';
import { OK, rejection } from './statuses.js';

/** The names by which brokers read the actions. */
const ACTIONS: ReadonlyMap<LiteSubscriptionAction, string> = new Map([
  [LiteSubscriptionAction.PARTIAL_ADD, 'PARTIAL_ADD'],
  [LiteSubscriptionAction.PARTIAL_REMOVE, 'PARTIAL_REMOVE'],
  [LiteSubscriptionAction.COMPLETE_ADD, 'COMPLETE_ADD'],
  [LiteSubscriptionAction.COMPLETE_REMOVE, 'COMPLETE_REMOVE'],
]);

type SyncRequest = RpcRequest<'syncLiteSubscription'>;
/** The part of a request that a broker executes. */
type Change = Pick<SyncRequest, 'action' | 'topic' | 'group' | 'liteTopicSet'>;

export function isLiteConsumer({ clientType }: Settings): boolean {
  return clientType === ClientType.LITE_PUSH_CONSUMER;
}

/** Whether the group receives what the consumer asks for: brokers do not compare them. */
export function bindingStatus(settings: Settings, lite: LiteGroup | undefined): Status {
  const { pubSub } = settings;
  const subscription = pubSub?.$case === 'subscription' ? pubSub.value : undefined;
  const group = subscription?.group?.name ?? '';
  if (!isLiteConsumer(settings)) {
    if (lite === undefined) return OK;
    const text = `group "${group}" is bound to the lite topics of "${lite.topic}" and takes consumers of lite topics only`;
    return rejection(Code.ILLEGAL_CONSUMER_GROUP, text);
  }
  const topic = subscription?.subscriptions[0]?.topic?.name ?? '';
  if (lite?.topic === topic) return OK;
  const actual = lite === undefined ? 'it is not bound to lite topics' : `it is bound to those of "${lite.topic}"`;
  return rejection(
    Code.ILLEGAL_CONSUMER_GROUP,
    `group "${group}" does not receive lite topics of "${topic}": ${actual}`,
  );
}

/** @param release see `RemotingFrame.version` */
export function noLiteTopics(address: string, release: number): Status {
  const text = `${address} runs ${releaseName(release)}; lite topics need RocketMQ ${FIRST_WITH.liteTopics} or later`;
  return rejection(Code.VERSION_UNSUPPORTED, text);
}

/** What a broker must have in its configuration to deliver messages of lite topics. Without it, it stores them all the same. */
const NEEDED_SETTINGS = ['enableLmq', 'enableMultiDispatch'] as const;

/**
 * Whether the broker delivers messages of lite topics: nothing else that it answers shows it.
 * @param answer to request code 26; the configuration, a line each. With access control, few are permitted to read it
 */
export function deliveryStatus(address: string, answer: RemotingFrame): Status {
  const off = NEEDED_SETTINGS.filter((name) => settingIn(answer, name) === 'false');
  if (off.length === 0) return OK;
  const now = off.map((name) => `${name}=false`).join(' and ');
  const needed = NEEDED_SETTINGS.map((name) => `${name}=true`).join(' and ');
  const text = `${address} has ${now}, so it stores messages in lite topics but delivers none; set ${needed} in its configuration and restart it`;
  return rejection(Code.UNSUPPORTED, text);
}

/** @see LiteSubscriptionDTO of the server */
export function liteSubscriptionOf(clientId: string, { action, topic, group, liteTopicSet }: Change): RemotingRequest {
  const entry = {
    action: ACTIONS.get(action),
    clientId,
    group: group?.name ?? '',
    topic: topic?.name ?? '',
    liteTopicSet,
    version: 0,
  };
  const body = Buffer.from(JSON.stringify({ subscriptionSet: [entry] }));
  return { code: REQUEST_CODES.liteSubscriptionCtl, body };
}

/** Ends all subscriptions of a consumer that leaves: a broker keeps them for minutes otherwise. */
export function liteUnsubscriptionsOf(clientId: string, settings: Settings): RemotingRequest[] {
  const { pubSub } = settings;
  if (!isLiteConsumer(settings) || pubSub?.$case !== 'subscription') return [];
  const { group, subscriptions } = pubSub.value;
  const action = LiteSubscriptionAction.COMPLETE_REMOVE;
  return [liteSubscriptionOf(clientId, { action, topic: subscriptions[0]?.topic, group, liteTopicSet: [] })];
}
