// The question for the route of a topic, and what its answer says when brokers are missing.

import { ClientType, Code } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import { requireOk } from '../protocol/grpc/status.js';
import type { ClientRole } from './client-role.js';
import type { Connection } from './connection.js';
import { type Endpoint, toWireEndpoints } from './endpoint.js';
import { type Route, resource, routeFromWire } from './route.js';

interface Asking {
  readonly role: Pick<ClientRole, 'type'>;
  readonly connection: Pick<Connection, 'namespace' | 'bootstrap' | 'layouts' | 'addressRules' | 'capabilities'>;
  ask(request: RpcRequest<'queryRoute'>): Promise<RpcResponse<'queryRoute'>>;
  /** Called for each server of the route. */
  onServer(endpoint: Endpoint): void;
  /** Whether the route that is known has queues. */
  hasQueues(): boolean;
}

/** @throws StatusError as the server answered, TransportError */
export async function queryRoute(topic: string, asking: Asking): Promise<Route> {
  const { connection } = asking;
  const { namespace, bootstrap, layouts, addressRules } = connection;
  const response = await asking.ask({ topic: resource(namespace, topic), endpoints: toWireEndpoints(bootstrap) });
  const { orderConfiguration } = response;
  if (isOrderedElsewhere(topic, response, asking)) {
    // Without a route there may be no other session.
    asking.onServer(bootstrap);
    return { topic, queues: [], types: [], layout: layouts.after(topic, [], orderConfiguration) };
  }
  requireOk(`route of topic "${topic}"`, response.status);
  const found = routeFromWire(topic, response.messageQueues, addressRules);
  for (const { endpoint } of found.queues) asking.onServer(endpoint);
  return { ...found, layout: layouts.after(topic, found.queues, orderConfiguration) };
}

/** Whether the topic is on brokers that are all missing, by what is set about its layout: a name server forgets it until one is back. */
function isOrderedElsewhere(
  topic: string,
  { status, orderConfiguration }: Pick<RpcResponse<'queryRoute'>, 'status' | 'orderConfiguration'>,
  { role, connection, hasQueues }: Asking,
): boolean {
  if (role.type !== ClientType.PRODUCER || status?.code !== Code.TOPIC_NOT_FOUND) return false;
  // Brokers take what is sent to them while a name server does not know them. A proxy that does not know them sends nothing on.
  if (connection.capabilities(connection.bootstrap).keepsChosenQueue && hasQueues()) return false;
  return orderConfiguration !== undefined || connection.layouts.isDeclared(topic);
}
