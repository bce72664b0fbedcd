// Whether a consumer group exists, where no route names the brokers that it needs.

import { Code, type Settings, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Consumption } from '../protocol/model/consumption.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import type { Deadline } from '../support/deadline.js';
import { abilitiesOf } from './broker-release.js';
import { createsGroups, pulledGroup } from './pull/pulled-group.js';
import { groupOf } from './registration.js';
import { OK, statusOf } from './statuses.js';

interface GroupClient {
  readonly clientId: string;
  readonly client: RemotingClient;
  readonly consumption: Consumption;
  /** All brokers of the cluster. */
  readonly brokers: (deadline: Deadline) => Promise<readonly string[]>;
}

/** @returns that the group is missing, when every broker says so; otherwise OK, also when one does not answer: a route decides then */
export async function missingGroup(port: GroupClient, settings: Settings, deadline: Deadline): Promise<Status> {
  try {
    const addresses = await port.brokers(deadline);
    const statuses = await Promise.all(addresses.map((address) => groupStatus(port, address, settings, deadline)));
    const isMissing = statuses.every(({ code }) => code === Code.CONSUMER_GROUP_NOT_FOUND);
    return (isMissing && statuses[0]) || OK;
  } catch {
    return OK;
  }
}

async function groupStatus(
  port: GroupClient,
  address: string,
  settings: Settings,
  deadline: Deadline,
): Promise<Status> {
  const { client } = port;
  const release = await client.releaseAt(address, deadline);
  if (!abilitiesOf(release).pops) return (await pulledGroup(port, address, release, settings, deadline)).status;
  // The question itself would create it.
  if (await createsGroups(client, address, deadline)) return OK;
  const question = { code: REQUEST_CODES.getSubscriptionGroupConfig, fields: { group: groupOf(settings) } };
  return statusOf(await client.ask(address, question, deadline), address);
}
