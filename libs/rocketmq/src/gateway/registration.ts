// How a client makes itself known to a broker: heartbeats, and the request that ends them.

import {
  ClientType,
  FilterType,
  type Settings,
  type SubscriptionEntry,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Consumption } from '../protocol/model/consumption.js';
import { tagsOf } from '../protocol/model/filter.js';
import { RETRY_PREFIX } from '../protocol/model/names.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingRequest } from '../remoting/remoting-request.js';
import type { BrokerAbilities } from './broker-release.js';

/**
 * Lists the client as a consumer of its group, for tools, and as a producer of its transactions, for checks: like a proxy, it uses the
 * topic as the name of the producer group, so checks reach clients of both kinds.
 * @param settingsAtMs the version of the subscriptions: a broker takes newer ones for the whole group
 */
export function heartbeatOf(
  clientId: string,
  settings: Settings,
  settingsAtMs: number,
  abilities: BrokerAbilities,
  consumption: Consumption,
): RemotingRequest {
  const body = {
    clientID: clientId,
    producerDataSet: checkedTopics(settings).map((groupName) => ({ groupName })),
    consumerDataSet: consumerData(settings, settingsAtMs, abilities, consumption),
  };
  const language = abilities.knowsNodeJs ? 'NODE_JS' : 'OTHER';
  return { code: REQUEST_CODES.heartBeat, language, body: Buffer.from(JSON.stringify(body)) };
}

/** The requests after which the broker no longer lists the client. */
export function unregistrationsOf(clientId: string, settings: Settings): RemotingRequest[] {
  const { pubSub } = settings;
  const consumerGroup = pubSub?.$case === 'subscription' ? pubSub.value.group?.name : undefined;
  const roles = [
    ...(consumerGroup === undefined ? [] : [{ consumerGroup }]),
    ...checkedTopics(settings).map((producerGroup) => ({ producerGroup })),
  ];
  return roles.map((role) => ({ code: REQUEST_CODES.unregisterClient, fields: { clientID: clientId, ...role } }));
}

/** The consumer group of the client; empty for a producer. */
export function groupOf({ pubSub }: Settings): string {
  return pubSub?.$case === 'subscription' ? (pubSub.value.group?.name ?? '') : '';
}

/** The topics that a consumer subscribes to; empty for a producer. */
export function topicsOf({ pubSub }: Settings): string[] {
  return pubSub?.$case === 'subscription' ? pubSub.value.subscriptions.map(({ topic }) => topic?.name ?? '') : [];
}

/** The topics whose transactions the client checks. */
function checkedTopics({ pubSub }: Settings): string[] {
  return pubSub?.$case === 'publishing' ? pubSub.value.topics.map(({ name }) => name) : [];
}

interface ConsumerData {
  readonly consumeType: string;
  readonly subscriptionDataSet: readonly object[];
}

/** @returns one entry for a consumer. @see ConsumerData of the server */
export function consumerData(
  { clientType, pubSub }: Settings,
  subVersion: number,
  { pops, listsPopConsumers }: BrokerAbilities,
  consumption: Consumption,
): ConsumerData[] {
  if (pubSub?.$case !== 'subscription') return [];
  const { group, subscriptions } = pubSub.value;
  const retries = { topic: { resourceNamespace: '', name: RETRY_PREFIX + (group?.name ?? '') }, expression: undefined };
  const hasRetries = consumption === 'pull' || (consumption === 'pop' && !pops);
  const data = {
    groupName: group?.name ?? '',
    consumeType: listsPopConsumers && consumption === 'pop' ? 'CONSUME_POP' : 'CONSUME_PASSIVELY',
    messageModel:
      consumption === 'broadcast'
        ? 'BROADCASTING'
        : clientType === ClientType.LITE_PUSH_CONSUMER
          ? 'LITE_SELECTIVE'
          : 'CLUSTERING',
    consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
    unitMode: false,
    subscriptionDataSet: (hasRetries ? [...subscriptions, retries] : subscriptions).map((entry) =>
      subscriptionData(entry, subVersion),
    ),
  };
  return [data];
}

export function subscriptionData({ topic, expression }: SubscriptionEntry, subVersion: number): object {
  const isSql = expression?.type === FilterType.SQL;
  const text = expression?.expression || '*';
  const tags = isSql ? 'every' : tagsOf(text);
  return {
    topic: topic?.name ?? '',
    subString: text,
    tagsSet: tags === 'every' ? [] : [...tags],
    codeSet: [],
    subVersion,
    expressionType: isSql ? 'SQL92' : 'TAG',
    classFilterMode: false,
  };
}
