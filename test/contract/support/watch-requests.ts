// Watches how many messages each request to send contains.

import type { Connection } from 'nestjs-rocketmq/client';
import { Code } from '../../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';

/**
 * Records the number of messages of each request that a server has stored, of the clients that are created on the connection from
 * now on. A request that a busy server rejected is sent again, and counts when it is stored.
 */
export function watchSends(connection: Connection): number[] {
  const sizes: number[] = [];
  const newCalls = connection.newCalls.bind(connection);
  connection.newCalls = (...client) => {
    const calls = newCalls(...client);
    const unary = calls.unary.bind(calls);
    calls.unary = async (endpoint, rpc, request, options) => {
      const response = await unary(endpoint, rpc, request, options);
      const isStored = 'status' in response && response.status?.code === Code.OK;
      if ('messages' in request && isStored) sizes.push(request.messages.length);
      return response;
    };
    return calls;
  };
  return sizes;
}
