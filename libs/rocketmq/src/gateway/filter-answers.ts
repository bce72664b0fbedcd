// Whether a broker can read the SQL expressions of a consumer, before they are used. In a heartbeat it takes one that it cannot read for none; in a
// pull, it then delivers everything, and a pop fails.

import { FilterType, type Settings, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import type { Deadline } from '../support/deadline.js';
import { groupOf, subscriptionData } from './registration.js';
import { OK, statusOf } from './statuses.js';

interface AskingClient {
  readonly client: RemotingClient;
  readonly clientId: string;
}

/** One for each expression. */
export async function filterAnswers(
  { client, clientId }: AskingClient,
  address: string,
  settings: Settings,
  deadline: Deadline,
): Promise<RemotingFrame[]> {
  if (settings.pubSub?.$case !== 'subscription') return [];
  const entries = settings.pubSub.value.subscriptions.filter(({ expression }) => expression?.type === FilterType.SQL);
  const requests = entries.map((entry) => {
    const body = { clientId, group: groupOf(settings), subscriptionData: subscriptionData(entry, 0) };
    return { code: REQUEST_CODES.checkClientConfig, body: Buffer.from(JSON.stringify(body)) };
  });
  return Promise.all(requests.map((request) => client.ask(address, request, deadline)));
}

/** For consumers that pop, which filter by SQL also where `enablePropertyFilter` is off. @returns the rejection of an expression, or OK */
export async function filterStatus(...[client, address, ...about]: Parameters<typeof filterAnswers>): Promise<Status> {
  const answers = await filterAnswers(client, address, ...about);
  const rejection = answers.find(({ code }) => code === RESPONSE_CODES.subscriptionParseFailed);
  return rejection === undefined ? OK : statusOf(rejection, address);
}
