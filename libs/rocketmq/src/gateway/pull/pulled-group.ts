// What a consumer group is like on a broker that is pulled from: the broker keeps its attempts, and the consumers decide the rest.

import {
  Code,
  FilterType,
  type Settings,
  type Status,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { DELAY_LEVELS_MS } from '../../protocol/model/delay-levels.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { jsonOf, namedObjectsIn } from '../../remoting/answers.js';
import { deliveryOf, type GroupConfig } from '../../remoting/group-config.js';
import type { RemotingClient } from '../../remoting/remoting-client.js';
import type { RemotingRequest } from '../../remoting/remoting-request.js';
import { type Deadline, monotonicMs } from '../../support/deadline.js';
import { abilitiesOf } from '../broker-release.js';
import type { GroupSettings } from '../group-settings.js';
import { isLiteConsumer, noLiteTopics } from '../lite-topics.js';
import { groupOf, subscriptionData } from '../registration.js';
import { OK, statusOf } from '../statuses.js';

/** Where a message is retried first, unless the consumer says when: at the third level. @see SendMessageProcessor of the server */
const FIRST_LEVEL = 2;

/**
 * Asks a broker. It makes a group that it does not know at the first heartbeat.
 * @param release see `RemotingFrame.version`
 * @returns the group, if the broker can be consumed from
 */
export async function pulledGroup(
  { client, clientId }: { readonly client: RemotingClient; readonly clientId: string },
  address: string,
  release: number,
  settings: Settings,
  deadline: Deadline,
): Promise<{ readonly status: Status; readonly group?: GroupSettings }> {
  if (isLiteConsumer(settings)) return { status: noLiteTopics(address, release) };
  // The whole table: it has no request for one group.
  const answer = await client.ask(address, { code: REQUEST_CODES.getAllSubscriptionGroupConfig }, deadline);
  const status = statusOf(answer, address);
  if (status.code !== Code.OK) return { status };
  for (const question of filterQuestions(clientId, settings)) {
    const checked = statusOf(await client.ask(address, question, deadline), address);
    if (checked.code !== Code.OK) return { status: checked };
  }
  const groups = namedObjectsIn<GroupConfig>(jsonOf(answer).subscriptionGroupTable);
  const [, config = {}] = groups.find(([name]) => name === groupOf(settings)) ?? [];
  const group: GroupSettings = {
    isOrdered: settings.pubSub?.$case === 'subscription' && settings.pubSub.value.fifo === true,
    lite: undefined,
    maxAttempts: deliveryOf(config).maxDeliveryAttempts,
    backoff: { kind: 'customized', nextMs: DELAY_LEVELS_MS.slice(FIRST_LEVEL) },
    abilities: abilitiesOf(release),
    learntAtMs: monotonicMs(),
  };
  return { status: OK, group };
}

/**
 * Whether the broker understands the SQL expressions of a consumer, one request for each: it takes one that it cannot read for none, and
 * delivers everything.
 */
function filterQuestions(clientId: string, settings: Settings): RemotingRequest[] {
  if (settings.pubSub?.$case !== 'subscription') return [];
  return settings.pubSub.value.subscriptions
    .filter(({ expression }) => expression?.type === FilterType.SQL)
    .map((entry) => {
      const body = { clientId, group: groupOf(settings), subscriptionData: subscriptionData(entry, 0) };
      return { code: REQUEST_CODES.checkClientConfig, body: Buffer.from(JSON.stringify(body)) };
    });
}
