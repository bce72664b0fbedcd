// What is known of a server beyond the protocol. Callers ask for a capability, never for who the server is.

/** What a server can do, as far as its connection has shown. */
export interface ServerCapabilities {
  /** Stores each message of a request with several under its own properties: Apache RocketMQ from 5.4.0 on. */
  readonly keepsBatches: boolean;
  /** Learns at once that a poll was canceled, and pops no message for it. */
  readonly cancelsFreely: boolean;
  /** Finds a topic as soon as it is created. Apache RocketMQ in local mode may deny it for 20 s if it was asked for it before. */
  readonly findsNewTopics: boolean;
}

/** Of a server that has announced nothing: what every proxy can do. */
export const LEAST_CAPABILITIES: ServerCapabilities = {
  keepsBatches: false,
  cancelsFreely: false,
  findsNewTopics: false,
};

/** Of a server that has announced itself as an embedded broker. */
export const EMBEDDED_CAPABILITIES: ServerCapabilities = {
  keepsBatches: true,
  cancelsFreely: true,
  findsNewTopics: true,
};
