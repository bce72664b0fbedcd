// The JSON of the control port. Times are milliseconds since 1970 on the broker's clock.

import type { LiteGroup } from '../../protocol/model/lite-group.js';
import type { MessageType } from '../../protocol/model/message.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import type { PendingFault } from '../services/faults.js';

/** A part of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The position of the next part (`after`); undefined at the end. Before the end a page may be short or empty. */
  readonly next?: string;
}

/** The broker as a whole. */
export interface BrokerState {
  readonly nowMs: number;
  /** The addresses for clients, separated by `;`. */
  readonly endpoints: string;
  readonly storage: { readonly medium: 'memory' | 'disk'; readonly bytes: number };
  readonly topics: number;
  readonly groups: number;
  readonly clients: number;
  /** When the next delayed message, lease or check is due. Undefined when there is none. */
  readonly nextDueAtMs?: number;
}

/** The time of a broker that can be moved ahead. */
export interface TimeState {
  /** The time of the broker. */
  readonly nowMs: number;
  /** How far it was moved ahead. */
  readonly offsetMs: number;
  /** When something is due next. Undefined if nothing is. */
  readonly nextDueAtMs?: number;
  /** What is due next, the earliest first; at most 100 events. */
  readonly due: readonly DueEvent[];
  /** Whether there are more. */
  readonly dueMore: boolean;
}

/**
 * Something that happens at its time. `delayed`: a message becomes visible; `retry`: one is redelivered, unless its consumer holds it and
 * renews its lease again; `lease`: a consumer loses one that it holds; `check`: a producer is asked about a half message.
 */
export interface DueEvent {
  readonly atMs: number;
  readonly kind: 'delayed' | 'retry' | 'lease' | 'check';
  readonly topic: string;
  /** Undefined for a message that cannot be read. */
  readonly messageId?: string;
  /** Of `retry` and `lease`. */
  readonly consumerGroup?: string;
}

/** The result of a request to move the time. */
export interface AdvancedTime {
  readonly nowMs: number;
  readonly offsetMs: number;
  /** Where the time was to be moved. */
  readonly targetMs: number;
  /** How many due events passed during the request. */
  readonly passed: number;
  /** False: the request took too long and ended early, on its way; send another one for the rest. Always true from `ControlClient`. */
  readonly done: boolean;
}

/** A topic. */
export interface TopicState {
  readonly name: string;
  /** Undefined for a topic that was created on first use and has no message yet. */
  readonly type?: MessageType;
  /** Stored messages, consumed or not. */
  readonly messages: number;
  readonly queues: readonly { readonly queueId: number; readonly minOffset: number; readonly maxOffset: number }[];
}

/** A consumer group. */
export interface GroupState {
  readonly name: string;
  readonly fifo: boolean;
  readonly maxDeliveryAttempts: number;
  readonly backoff: BackoffPolicy;
  /** Set for a group that is bound to lite topics. */
  readonly lite?: Required<LiteGroup>;
  /** The ids of its connected consumers. */
  readonly consumers: readonly string[];
  /** The topics of which messages were delivered to it. */
  readonly topics: readonly string[];
}

/** The lag of a group in a topic. */
export interface LagState {
  readonly group: string;
  readonly topic: string;
  /** Messages that it has not settled: `ready` and `inFlight`. */
  readonly lag: number;
  /** Messages that its next receives get. */
  readonly ready: number;
  /** Held by a consumer, or waiting for a retry. */
  readonly inFlight: number;
  /** When its oldest message that is not settled was stored. */
  readonly oldestStoredAtMs?: number;
  /** When its oldest message that is ready became ready. */
  readonly oldestReadyAtMs?: number;
}

/** A message that was delivered to a group and is not settled. */
export interface DeliveryState {
  readonly group: string;
  readonly topic: string;
  readonly queueId: number;
  readonly offset: number;
  readonly messageId: string;
  /**
   * `held`: held by a consumer. `retry`: its consumer changed the end of the lease, to retry later or to renew it. `ready`: waits for
   * the next receive.
   */
  readonly state: 'held' | 'retry' | 'ready';
  /** The number of deliveries so far. */
  readonly attempt: number;
  /** The end of the lease; for a ready message, since when it is ready. */
  readonly atMs: number;
  /** The consumer that holds it, while its lease runs. */
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
  readonly liteTopic?: string;
  /** By the clock of the clients, as everywhere outside of the control port. */
  readonly bornAtMs: number;
  /** By the clock of the clients. */
  readonly storedAtMs: number;
  /** By the broker's clock, which `GET /time` has moved ahead of it. */
  readonly deliveryTimestampMs?: number;
  /** The size of the complete stored body. */
  readonly bodyBytes: number;
  /** The beginning of the body, as text if the complete body is UTF-8, otherwise as Base64. Compressed bodies are not decompressed. */
  readonly body: string;
  readonly bodyEncoding: 'utf8' | 'base64';
  readonly isCompressed: boolean;
  /** Whether `body` is incomplete. */
  readonly isCut: boolean;
}

/** A message that consumers can see. */
export interface VisibleMessageState extends MessageState {
  readonly queueId: number;
  readonly offset: number;
}

/** A message that waits for its delivery time. */
export interface DelayedMessageState extends MessageState {
  /** By the broker's clock, as all times at which something will happen. */
  readonly dueAtMs: number;
  readonly recallHandle: string;
}

/** A message whose transaction has not ended. */
export interface HalfMessageState extends MessageState {
  readonly transactionId: string;
  /** The number of checks so far. */
  readonly checks: number;
  readonly nextCheckAtMs: number;
}

/** A client: one by gRPC that has sent its settings, or one by remoting that has sent a heartbeat. */
export interface ClientState {
  readonly clientId: string;
  /** Of a client by remoting that also consumes: that of its consumer. */
  readonly kind: 'producer' | 'pushConsumer' | 'simpleConsumer' | 'pullConsumer' | 'other';
  readonly protocol: 'grpc' | 'remoting';
  readonly language: string;
  /** The version of its library, as far as it says. */
  readonly version?: string;
  readonly address: string;
  /** Whether its telemetry stream, or its connection by remoting, is open. */
  readonly isConnected: boolean;
  /** The consumer groups that it consumes for. */
  readonly groups: readonly string[];
  /** The producer groups of a client by remoting. */
  readonly producerGroups: readonly string[];
  /** The topics that it receives from, or sends to. Those that a client by remoting sends to are not known. */
  readonly topics: readonly string[];
}

/** The position of a message. */
export interface MessagePlace {
  readonly topic: string;
  readonly queueId: number;
  readonly offset: number;
}

/** The result of "deliver now". */
export interface DeliveredNow {
  /** The positions of the messages; several can have the same id. */
  readonly delivered: readonly MessagePlace[];
}

/** The result of "deliver again". `waiting`: the group would receive it anyway. `held`: a consumer holds it until then. */
export interface DeliveredAgainState {
  readonly results: readonly (MessagePlace & {
    readonly outcome: 'again' | 'waiting' | 'held';
    readonly heldUntilMs?: number;
    readonly holder?: string;
  })[];
}

/** The scheduled faults. */
export interface FaultList {
  readonly items: readonly PendingFault[];
}
