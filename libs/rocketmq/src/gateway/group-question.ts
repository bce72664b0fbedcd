// The question for a consumer group: to the broker that a client consumes from, and to all brokers where no route names those that it needs.

import { Code, type Settings, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Consumption } from '../protocol/model/consumption.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import type { Deadline } from '../support/deadline.js';
import { abilitiesOf } from './broker-release.js';
import type { GroupSettings } from './group-settings.js';
import { createsGroups, pulledGroup } from './pull/pulled-group.js';
import { groupOf } from './registration.js';
import { OK, statusOf } from './statuses.js';

interface GroupClient {
  readonly clientId: string;
  readonly client: RemotingClient;
  readonly consumption: Consumption;
}

interface ClusterClient extends GroupClient {
  /** How long one question may take. */
  readonly timeoutMs: number;
  /** All brokers of the cluster. */
  readonly brokers: (deadline: Deadline) => Promise<readonly string[]>;
}

/** What a broker says of a group. */
interface FoundGroup {
  /** See `RemotingFrame.version`. */
  readonly release: number;
  /** Why the client cannot consume from there, or OK. */
  readonly status: Status;
  /** Of a client that pulls. */
  readonly pulled?: GroupSettings | undefined;
  /** The settings of the group, for a client that pops. */
  readonly popped?: RemotingFrame;
}

/** The questions that {@link missingGroup} asks one after the other. */
export const MISSING_GROUP_QUESTIONS = 3;

/** @throws as the question */
export async function askForGroup(
  port: GroupClient,
  address: string,
  settings: Settings,
  deadline: Deadline,
): Promise<FoundGroup> {
  const release = await port.client.releaseAt(address, deadline);
  // Before the question about the group: brokers up to 4.7 never answer a request that they do not know.
  if (!abilitiesOf(release).pops || port.consumption !== 'pop') {
    const { status, group } = await pulledGroup(port, address, release, settings, deadline);
    return { release, status, pulled: group };
  }
  const question = { code: REQUEST_CODES.getSubscriptionGroupConfig, fields: { group: groupOf(settings) } };
  const popped = await port.client.ask(address, question, deadline);
  return { release, status: statusOf(popped, address), popped };
}

/**
 * Each question may take as long as one request, within the deadline.
 * @returns that the group is missing, when every broker says so; otherwise OK, also when one does not answer: a route decides then
 */
export async function missingGroup(port: ClusterClient, settings: Settings, deadline: Deadline): Promise<Status> {
  const question = <T>(ask: (own: Deadline) => Promise<T>): Promise<T> =>
    deadline.part(Math.min(port.timeoutMs, deadline.remainingMs()), ask);
  const at = async (address: string): Promise<Status> => {
    const { client } = port;
    // The question for the group itself would create it on brokers of 5.x. Both are asked at once, since they may be slow.
    const [release, isCreated] = await question((own) =>
      Promise.all([client.releaseAt(address, own), createsGroups(client, address, own)]),
    );
    if (isCreated && abilitiesOf(release).pops) return OK;
    return (await question((own) => askForGroup(port, address, settings, own))).status;
  };
  try {
    const statuses = await Promise.all((await question(port.brokers)).map(at));
    const isMissing = statuses.every(({ code }) => code === Code.CONSUMER_GROUP_NOT_FOUND);
    return (isMissing && statuses[0]) || OK;
  } catch {
    return OK;
  }
}
