// What the control port tells, as JSON. Times are milliseconds since 1970, by the broker's own clock.

import type { MessageType } from '../../protocol/model/message.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import type { TopicType } from '../engine/registry.js';
import type { PendingFault } from '../services/faults.js';

/** A part of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** What to ask for next (`after`); undefined at the end. A page may be short, or empty, before that. */
  readonly next?: string;
}

/** The broker as a whole. */
export interface BrokerState {
  readonly nowMs: number;
  /** Where clients connect, several with `;` between. */
  readonly endpoints: string;
  readonly storage: { readonly medium: 'memory' | 'disk'; readonly bytes: number };
  readonly topics: number;
  readonly groups: number;
  readonly clients: number;
  /** When something happens next by itself: a delayed message, the end of a lease, a check. Undefined: nothing waits. */
  readonly nextDueAtMs?: number;
}

/** A topic. */
export interface TopicState {
  readonly name: string;
  /** Undefined until its first message when it came into being by use. */
  readonly type?: TopicType | MessageType;
  /** Messages that are there, consumed or not. */
  readonly messages: number;
  readonly queues: readonly { readonly queueId: number; readonly minOffset: number; readonly maxOffset: number }[];
}

/** A consumer group. */
export interface GroupState {
  readonly name: string;
  readonly fifo: boolean;
  readonly maxDeliveryAttempts: number;
  readonly backoff: BackoffPolicy;
  /** The ids of its consumers that are connected. */
  readonly consumers: readonly string[];
  /** The topics of which it was handed something. */
  readonly topics: readonly string[];
}

/** What a group has before it in a topic. */
export interface LagState {
  readonly group: string;
  readonly topic: string;
  /** Everything that it has not settled: `ready` and `inFlight`. */
  readonly lag: number;
  /** What its next receives find. */
  readonly ready: number;
  /** At a consumer, or waiting for its retry. */
  readonly inFlight: number;
  /** When the oldest message was stored that it has not settled. */
  readonly oldestStoredAtMs?: number;
  /** When the oldest message became ready that waits for a receive. */
  readonly oldestReadyAtMs?: number;
}

/** A message that a group was handed and has not settled. */
export interface DeliveryState {
  readonly group: string;
  readonly topic: string;
  readonly queueId: number;
  readonly offset: number;
  readonly messageId: string;
  /**
   * `held`: at a consumer. `retry`: its consumer moved the end of its lease, to try later or to go on working. `ready`: waits for the
   * next receive.
   */
  readonly state: 'held' | 'retry' | 'ready';
  /** Deliveries so far. */
  readonly attempt: number;
  /** The end of the lease; of one that is ready, since when. */
  readonly atMs: number;
  /** Who was handed it last, while its lease runs. */
  readonly clientId?: string;
}

/** A message. */
export interface MessageState {
  readonly topic: string;
  readonly messageId: string;
  readonly messageType: MessageType;
  readonly tag?: string;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageGroup?: string;
  readonly priority?: number;
  readonly bornAtMs: number;
  readonly storedAtMs: number;
  readonly deliveryTimestampMs?: number;
  /** The size of the whole body as it is stored. */
  readonly bodyBytes: number;
  /** The beginning of the body: text when all of it is UTF-8, else Base64. Compressed bodies stay so. */
  readonly body: string;
  readonly bodyEncoding: 'utf8' | 'base64';
  readonly isCompressed: boolean;
  /** Whether `body` is not all of it. */
  readonly isCut: boolean;
}

/** A message that consumers can see. */
export interface VisibleMessageState extends MessageState {
  readonly queueId: number;
  readonly offset: number;
}

/** A message that waits for its delivery time. */
export interface DelayedMessageState extends MessageState {
  readonly dueAtMs: number;
  readonly recallHandle: string;
}

/** A message whose transaction has not ended. */
export interface HalfMessageState extends MessageState {
  readonly transactionId: string;
  /** Checks sent so far. */
  readonly checks: number;
  readonly nextCheckAtMs: number;
}

/** A client that has told its settings. */
export interface ClientState {
  readonly clientId: string;
  readonly kind: 'producer' | 'pushConsumer' | 'simpleConsumer' | 'other';
  readonly language: string;
  readonly address: string;
  /** Whether its telemetry stream is open. */
  readonly isConnected: boolean;
  readonly group?: string;
  /** To which it sends, or from which it receives. */
  readonly topics: readonly string[];
}

/** Where a message lies. */
export interface MessagePlace {
  readonly topic: string;
  readonly queueId: number;
  readonly offset: number;
}

/** What "deliver now" did. */
export interface DeliveredNow {
  /** Where the messages lie now: of one id there may be several. */
  readonly delivered: readonly MessagePlace[];
}

/** What "deliver again" did: `waiting`, the group would have got it anyhow; `held`, a consumer has it until then. */
export interface DeliveredAgainState {
  readonly results: readonly (MessagePlace & {
    readonly outcome: 'again' | 'waiting' | 'held';
    readonly heldUntilMs?: number;
    readonly holder?: string;
  })[];
}

/** The faults that are to come. */
export interface FaultList {
  readonly items: readonly PendingFault[];
}
