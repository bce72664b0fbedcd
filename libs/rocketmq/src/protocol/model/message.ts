// The message model. Its checks are in message-checks.ts, its mapping to and from gRPC is in grpc/message-mapping.ts.

/** The type of a message and of its topic. A topic accepts one type only. */
export type MessageType = 'normal' | 'fifo' | 'delay' | 'transaction' | 'lite' | 'priority';

/** The types that a topic can be created with. `priority` requires server 5.4.0, `lite` 5.5.0. */
export const TOPIC_TYPES = ['normal', 'fifo', 'delay', 'transaction', 'priority', 'lite'] as const;
/** The type of a topic, which is that of its messages. `priority` requires server 5.4.0, `lite` 5.5.0. */
export type TopicType = (typeof TOPIC_TYPES)[number];

/** A message to send. */
export interface OutgoingMessage {
  readonly topic: string;
  /** A string is sent as UTF-8; half of a character (a lone surrogate) is rejected. 1 byte to 4 MiB. */
  readonly body: Uint8Array | string;
  /** A label that consumers can filter by. It must not contain `|`. Default: none. */
  readonly tag?: string;
  /**
   * Business keys to look up the message by. They must not contain white space: the server would split them. Default: none.
   */
  readonly keys?: readonly string[];
  /** At most 128, without empty values. Names, values, tag and keys are limited to 16 KiB in total. Default: none. */
  readonly properties?: Readonly<Record<string, string>>;
  /**
   * Makes it an ordered (FIFO) message: stored in the order of the calls of its producer, and delivered in order within the group. Under 64 bytes.
   * Default: none, an ordinary message.
   */
  readonly messageGroup?: string;
  /**
   * Makes it a delayed message, invisible until then. At most 24 h ahead, the server's default; see `maxDelayMs` of the producer.
   * Default: none.
   */
  readonly deliverAt?: Date;
  /** Like `deliverAt`, in milliseconds from the call. Set only one of the two. Default: none. */
  readonly delayMs?: number;
  /**
   * Makes it a priority message: of the waiting messages, the highest priority is delivered first. An integer of at least 0; the server
   * treats a priority above the last queue of the topic as that queue. Requires server 5.4.0. Default: none.
   */
  readonly priority?: number;
  /**
   * Makes it a message of a lite topic: a stream inside a topic of type `lite`, created by its first message and received by the consumers
   * that subscribe to it. 1 to 64 letters, digits, `-` and `_`. Requires server 5.5.0. Default: none.
   */
  readonly liteTopic?: string;
  /** Without control characters. Pass the earlier id when you repeat a send whose outcome was `unknown`. Default: a generated id. */
  readonly messageId?: string;
}

/** A received message. */
export interface MessageView {
  /** The topic it was sent to; the same for a redelivery. */
  readonly topic: string;
  readonly messageId: string;
  readonly body: Buffer;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageType: MessageType | undefined;
  readonly messageGroup: string | undefined;
  /** Set for a priority message. */
  readonly priority: number | undefined;
  /** The lite topic that it was sent to. */
  readonly liteTopic: string | undefined;
  /** When the producer created it, by the producer's clock. */
  readonly bornTimestampMs: number;
  readonly bornHost: string;
  /** When the server stored it; for a delayed message, when it became visible. */
  readonly storeTimestampMs: number | undefined;
  /** The address of the broker that stored it, `host:port`. */
  readonly storeHost?: string;
  /** How many bytes it takes in the commit log of the broker. Undefined by proxy. */
  readonly storeSize?: number;
  /** When a delayed message was due. */
  readonly deliveryTimestampMs: number | undefined;
  /** The first delivery is 1. */
  readonly deliveryAttempt: number;
  /** The name of the broker that it was received from; undefined in a transaction check. */
  readonly brokerName?: string;
  readonly queueId: number;
  readonly queueOffset: number;
  /**
   * The id by which the broker finds this stored copy: its address and the offset in its commit log, in hex; Java's `offsetMsgId`. Undefined by proxy.
   */
  readonly offsetMessageId?: string;
  /** Identifies this delivery to the server, for example to acknowledge it; opaque. Empty in a transaction check. */
  readonly receiptHandle: string;
}

/** The type of a message, derived from its fields. The server derives it in the same way (proxy `SendMessageActivity`). */
export function messageTypeOf(message: OutgoingMessage): Exclude<TopicType, 'transaction'> {
  if (message.deliverAt !== undefined || message.delayMs !== undefined) return 'delay';
  if (message.messageGroup !== undefined) return 'fifo';
  if (message.priority !== undefined) return 'priority';
  return message.liteTopic === undefined ? 'normal' : 'lite';
}

/** The body's bytes. */
export function bodyBytes(body: Uint8Array | string): Buffer {
  if (typeof body === 'string') return Buffer.from(body, 'utf8');
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

/** When a delayed message is due; undefined if it is not delayed. */
export function deliveryTimestampMs(message: OutgoingMessage, nowMs: number): number | undefined {
  if (message.deliverAt !== undefined) return message.deliverAt.getTime();
  return message.delayMs === undefined ? undefined : nowMs + message.delayMs;
}
