// Watches how many messages each request to send contains.

import type { Connection } from 'nestjs-rocketmq/client';

/** Records the number of messages of each request to send, in order, of the clients that are created on the connection from now on. */
export function watchSends(connection: Connection): number[] {
  const sizes: number[] = [];
  const newCalls = connection.newCalls.bind(connection);
  connection.newCalls = (clientId) => {
    const calls = newCalls(clientId);
    const unary = calls.unary.bind(calls);
    calls.unary = (endpoint, rpc, request, options) => {
      if ('messages' in request) sizes.push(request.messages.length);
      return unary(endpoint, rpc, request, options);
    };
    return calls;
  };
  return sizes;
}
