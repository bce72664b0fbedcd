// The permissions that each RPC requires, as on the real server. @see DefaultAuthorizationContextBuilder

import { ClientType, type Resource } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcName, RpcRequest } from '../../protocol/grpc/rpc.js';
import type { Access } from './users.js';

type Requirements = { readonly [N in RpcName]?: (request: RpcRequest<N>) => readonly Access[] };

const CONSUMERS: ReadonlySet<ClientType> = new Set([
  ClientType.PUSH_CONSUMER,
  ClientType.SIMPLE_CONSUMER,
  ClientType.PULL_CONSUMER,
  ClientType.LITE_PUSH_CONSUMER,
]);

const REQUIREMENTS: Requirements = {
  queryRoute: ({ topic }) => [{ kind: 'Topic', name: nameOf(topic), actions: ['Pub', 'Sub'] }],
  sendMessage: ({ messages }) => [sending(messages[0]?.topic)],
  recallMessage: ({ topic }) => [sending(topic)],
  endTransaction: ({ topic }) => [sending(topic)],
  heartbeat: ({ group, clientType }) => (CONSUMERS.has(clientType) ? [consuming(group)] : []),
  notifyClientTermination: ({ group }) => (nameOf(group) === '' ? [] : [consuming(group)]),
  queryAssignment: ({ group, topic }) => [consuming(group), receiving(topic)],
  receiveMessage: ({ group, messageQueue }) => [consuming(group), receiving(messageQueue?.topic)],
  ackMessage: ({ group, topic }) => [consuming(group), receiving(topic)],
  forwardMessageToDeadLetterQueue: ({ group, topic }) => [consuming(group), receiving(topic)],
  syncLiteSubscription: ({ group, topic }) => [consuming(group), receiving(topic)],
  changeInvisibleDuration: ({ group }) => [consuming(group)],
  telemetry: ({ command }) => {
    if (command?.$case !== 'settings') return [];
    const { pubSub } = command.value;
    if (pubSub?.$case === 'publishing') return pubSub.value.topics.map(sending);
    if (pubSub?.$case !== 'subscription') return [];
    const { group, subscriptions } = pubSub.value;
    return [consuming(group), ...subscriptions.map(({ topic }) => receiving(topic))];
  },
};

/** All permissions that a request requires. */
export function requirementsOf<N extends RpcName>(rpc: N, request: RpcRequest<N>): readonly Access[] {
  return REQUIREMENTS[rpc]?.(request) ?? [];
}

function sending(topic: Resource | undefined): Access {
  return { kind: 'Topic', name: nameOf(topic), actions: ['Pub'] };
}

function receiving(topic: Resource | undefined): Access {
  return { kind: 'Topic', name: nameOf(topic), actions: ['Sub'] };
}

function consuming(group: Resource | undefined): Access {
  return { kind: 'Group', name: nameOf(group), actions: ['Sub'] };
}

function nameOf(resource: Resource | undefined): string {
  return resource?.name ?? '';
}
