// What a consumer group is like on a broker that is pulled from: the broker keeps its attempts, and the consumers decide the rest.

import { Code, type Settings, type Status } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Consumption } from '../../protocol/model/consumption.js';
import { DELAY_LEVELS_MS } from '../../protocol/model/delay-levels.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { jsonOf, namedObjectsIn, settingIn } from '../../remoting/answers.js';
import { deliveryOf, type GroupConfig } from '../../remoting/group-config.js';
import type { RemotingClient } from '../../remoting/remoting-client.js';
import { type Deadline, monotonicMs } from '../../support/deadline.js';
import { abilitiesOf } from '../broker-release.js';
import { filterAnswers } from '../filter-answers.js';
import type { GroupSettings } from '../group-settings.js';
import { isLiteConsumer, noLiteTopics } from '../lite-topics.js';
import { groupOf } from '../registration.js';
import { OK, rejection, statusOf } from '../statuses.js';

/** Where a message is retried first, unless the consumer says when: at the third level. @see SendMessageProcessor of the server */
const FIRST_LEVEL = 2;

/** Who asks. */
interface PullingClient {
  readonly client: RemotingClient;
  readonly clientId: string;
  readonly consumption: Consumption;
}

/**
 * Asks a broker. By default, it makes a group that it does not know at the first heartbeat.
 * @param release see `RemotingFrame.version`
 * @returns the group, if the broker can be consumed from
 */
export async function pulledGroup(
  { client, clientId, consumption }: PullingClient,
  address: string,
  release: number,
  settings: Settings,
  deadline: Deadline,
): Promise<{ readonly status: Status; readonly group?: GroupSettings }> {
  if (isLiteConsumer(settings)) return { status: noLiteTopics(address, release) };
  const abilities = abilitiesOf(release);
  const consumerGroup = groupOf(settings);
  // Brokers of 4.x have no request for one group.
  const question = abilities.pops
    ? { code: REQUEST_CODES.getSubscriptionGroupConfig, fields: { group: consumerGroup } }
    : { code: REQUEST_CODES.getAllSubscriptionGroupConfig };
  const answer = await client.ask(address, question, deadline);
  const status = statusOf(answer, address);
  if (status.code !== Code.OK) return { status };
  const config = abilities.pops ? (jsonOf(answer) as GroupConfig) : configIn(answer, consumerGroup);
  if (config === undefined && !(await createsGroups(client, address, deadline))) {
    const text = `consumer group "${consumerGroup}" does not exist on ${address}, which creates none (autoCreateSubscriptionGroup is false)`;
    return { status: rejection(Code.CONSUMER_GROUP_NOT_FOUND, text) };
  }
  if (consumption === 'broadcast' && config?.consumeBroadcastEnable === false) {
    const text = `${address} allows no broadcasts to consumer group "${consumerGroup}" (consumeBroadcastEnable is false)`;
    const advice = `allow them with: mqadmin updateSubGroup -g ${consumerGroup} -d true, or use another group`;
    return { status: rejection(Code.FORBIDDEN, `${text}; ${advice}`) };
  }
  for (const answered of await filterAnswers({ client, clientId }, address, settings, deadline)) {
    const checked = statusOf(answered, address);
    if (checked.code !== Code.OK) return { status: checked };
  }
  const isOrdered = consumption === 'pull' && deliveryOf(config ?? {}).fifo;
  const group: GroupSettings = {
    isOrdered: isOrdered || (settings.pubSub?.$case === 'subscription' && settings.pubSub.value.fifo === true),
    lite: undefined,
    maxAttempts: deliveryOf(config ?? {}).maxDeliveryAttempts,
    backoff: { kind: 'customized', nextMs: DELAY_LEVELS_MS.slice(FIRST_LEVEL) },
    abilities: { ...abilities, pops: false },
    learntAtMs: monotonicMs(),
  };
  return { status: OK, group };
}

/** Undefined for a group that the broker does not know. */
function configIn(answer: RemotingFrame, consumerGroup: string): GroupConfig | undefined {
  const groups = namedObjectsIn<GroupConfig>(jsonOf(answer).subscriptionGroupTable);
  return groups.find(([name]) => name === consumerGroup)?.[1];
}

/** Whether the broker creates a group at its first heartbeat, as it does by default. With access control, few are permitted to read that. */
export async function createsGroups(client: RemotingClient, address: string, deadline: Deadline): Promise<boolean> {
  const answer = await client.ask(address, { code: REQUEST_CODES.getBrokerConfig }, deadline, { isOptional: true });
  return settingIn(answer, 'autoCreateSubscriptionGroup') !== 'false';
}
