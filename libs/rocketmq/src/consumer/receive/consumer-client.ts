// The client of a consumer: its role, its start, and the meaning of a rejection of its group.

import { Client } from '../../client/client.js';
import type { ClientRole } from '../../client/client-role.js';
import type { Connection } from '../../client/connection.js';
import type { Endpoint } from '../../client/endpoint.js';
import type { StartOptions } from '../../client/lifecycle-options.js';
import { consumerGroupNotFound, ResourceError } from '../../client/resource-errors.js';
import type { ServerCommand } from '../../client/server-commands.js';
import type { SessionEvents } from '../../client/session-events.js';
import { ClientType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';
import type { GroupSettings } from '../model/group-settings.js';
import { type GroupSubscription, toWireSubscription } from '../model/subscription.js';

/** What one kind of consumer adds. */
interface ConsumerRole {
  readonly type: ClientType.PUSH_CONSUMER | ClientType.SIMPLE_CONSUMER | ClientType.LITE_PUSH_CONSUMER;
  readonly group: GroupSubscription;
  /** Set where the consumer itself decides about it: the server accepts it from a simple consumer only. */
  readonly longPollingTimeoutMs?: number;
  readonly settings: GroupSettings;
  readonly consumption?: ClientRole['consumption'];
  /** Called with each answer of a server that was accepted. */
  onSettings?(): void;
  onCommand(command: ServerCommand, endpoint: Endpoint): boolean;
  /** What it is doing, for an operator. Default: nothing. */
  report?(): readonly string[];
  /** Observes the sessions. Default: nothing. */
  readonly events?: Partial<SessionEvents>;
}

/** The default timeout of a start. */
export const DEFAULT_START_MS = 10_000;

export function consumerClient(connection: Connection, role: ConsumerRole): Client {
  const { type, group } = role;
  return new Client(connection, {
    type,
    consumerGroup: group.consumerGroup,
    consumption: role.consumption,
    settings: (endpoint) => {
      const { fifo, backoffPolicy } = role.settings.confirmed(endpoint);
      const value = { ...toWireSubscription(connection.namespace, group, role.longPollingTimeoutMs), fifo };
      return { backoffPolicy, pubSub: { $case: 'subscription', value } };
    },
    onSettings: (settings, endpoint) => {
      const isNews = role.settings.learn(endpoint, settings);
      role.onSettings?.();
      return isNews;
    },
    onGone: (endpoint) => role.settings.forget(endpoint),
    onCommand: (command, endpoint) => role.onCommand(command, endpoint),
    report: () => [`consumer group: ${group.consumerGroup}`, ...(role.report?.() ?? [])],
    events: role.events,
  });
}

/** @throws ResourceError that names the group and the topics that do not exist */
export async function startConsumerClient(
  client: Client,
  { consumerGroup, subscriptions }: GroupSubscription,
  { isFifo = false, ...options }: StartOptions & { readonly isFifo?: boolean },
  deadline: Deadline,
): Promise<void> {
  const named = (error: unknown): never => {
    const { command } = client.connection;
    throw saysGroupNotFound(error) ? consumerGroupNotFound(command, consumerGroup, isFifo, error) : error;
  };
  const topics = new Map(subscriptions.map(({ topic }) => [topic, undefined]));
  const start = (waitForTopics?: boolean) => client.start(topics, deadline, { ...options, waitForTopics }).catch(named);
  try {
    await start(false);
  } catch (error) {
    if (!(error instanceof ResourceError) || error.code !== 'TOPIC_NOT_FOUND') throw error;
    // Before the wait for a topic, which is in vain without the group.
    const rejected = await client
      .tryOut(deadline)
      .then(() => undefined, named)
      .catch((rejection: unknown) => rejection);
    if (rejected instanceof ResourceError) throw ResourceError.together([error, rejected]);
    if (options.waitForTopics !== true) throw error;
    await start(true);
  }
}

/** Server 5.5.0 in local mode ends the telemetry stream with gRPC status 3 and this text, in which only the name varies. */
function saysGroupNotFound(error: unknown): boolean {
  if (!RocketMQError.is(error)) return false;
  return error.code === 'CONSUMER_GROUP_NOT_FOUND' || /\bgroup not found: /.test(error.message);
}
