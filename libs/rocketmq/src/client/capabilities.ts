// What is known of a server beyond the protocol. Callers ask for a capability, never for who the server is.

import type { Settings } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { AnnouncedCapabilities } from '../protocol/grpc/session-message.js';

/** What a server can do, as far as its connection has shown. */
export interface ServerCapabilities {
  /** Stores each message of a request with several under its own properties: Apache RocketMQ from 5.4.0 on. */
  readonly keepsBatches: boolean;
  /** Learns at once that a poll was canceled, and pops no message for it. */
  readonly cancelsFreely: boolean;
  /** Finds a topic as soon as it is created. Apache RocketMQ in local mode may deny it for 20 s if it was asked for it before. */
  readonly findsNewTopics: boolean;
  /** Stores a message in the queue that it is sent to. Proxies choose the queue themselves, among the brokers that they know. */
  readonly keepsChosenQueue: boolean;
}

/**
 * Reads the answer; undefined unless it is one to a consumer. No server says that it knows `suspend`; one that does announces a quota of lite topics to every consumer: 5.5.0 does,
 * 5.4.0 and 5.3.3 do not (test/contract/consumer-control.spec.ts).
 */
export function announcedIn({ pubSub }: Settings): AnnouncedCapabilities | undefined {
  return pubSub?.$case === 'subscription'
    ? { suspends: pubSub.value.liteSubscriptionQuota !== undefined, cancelsFreely: false }
    : undefined;
}

/** Of a server that has announced nothing: what every proxy can do. */
export const MIN_CAPABILITIES: ServerCapabilities = {
  keepsBatches: false,
  cancelsFreely: false,
  findsNewTopics: false,
  keepsChosenQueue: false,
};

/** Of brokers that are reached by name servers: the gateway writes batches in a form that every release keeps apart. */
export const GATEWAY_CAPABILITIES: ServerCapabilities = {
  keepsBatches: true,
  cancelsFreely: false,
  findsNewTopics: true,
  keepsChosenQueue: true,
};

/** Of a server that has announced itself as an embedded broker. */
export const EMBEDDED_CAPABILITIES: ServerCapabilities = {
  keepsBatches: true,
  cancelsFreely: true,
  findsNewTopics: true,
  keepsChosenQueue: false,
};
