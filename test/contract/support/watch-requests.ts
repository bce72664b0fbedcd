// Watches how many messages each SendMessage request of a connection contains.

import type { Connection } from 'nestjs-rocketmq/client';
import type { Channel } from '../../../libs/rocketmq/src/client/channel.js';
import { SendMessageRequest } from '../../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/service.js';

/** Records the number of messages of each following SendMessage request, in order. */
export function watchSends(connection: Connection): number[] {
  const sizes: number[] = [];
  const watched = new WeakSet<Channel>();
  const open = connection.channel.bind(connection);
  connection.channel = (endpoint) => {
    const channel = open(endpoint);
    if (watched.has(channel)) return channel;
    watched.add(channel);
    const unary = channel.unary.bind(channel);
    channel.unary = (call, request) => {
      // After gRPC's prefix of five bytes.
      const message = request[0] === 0 ? request.subarray(5) : request;
      if (call.path.endsWith('/SendMessage')) sizes.push(SendMessageRequest.decode(message).messages.length);
      return unary(call, request);
    };
    return channel;
  };
  return sizes;
}
