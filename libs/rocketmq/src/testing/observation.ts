// What the matchers ask a test broker or a fake producer.

import type { BodyCodec } from '../nest/messages/body-codecs.js';

/** The method of {@link Observable}; the same in two copies of this package. */
export const OBSERVE = Symbol.for('nestjs-rocketmq.observe');

/** What matchers accept. */
export interface Observable {
  /** @internal */
  [OBSERVE](): Observation;
}

/** A message, as the matchers compare and print it. */
export interface ObservedMessage {
  /** The same for the same message of several groups, and for no other. */
  readonly identity: string;
  readonly messageId: string;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageGroup: string | undefined;
  /** The group that it was delivered to or that has it as a dead letter; undefined for a message that was sent. */
  readonly group: string | undefined;
  /** Where it stands, in the output of a matcher. */
  readonly state: string;
  /** Decompressed. */
  readonly bytes: Buffer;
}

/** What can be observed. */
export type Observed = 'sent' | 'delivered' | 'dead-lettered';

/** The messages at one moment. */
export interface Observation {
  /** Decodes the bodies of topics without a codec of their own. */
  readonly codec: BodyCodec;
  /** Waits until nothing can happen any more without moving time. @throws StateError `NOT_QUIET` */
  settle(): Promise<void>;
  /** The messages of a topic that match the claim; undefined for what cannot be observed here. */
  find(what: Observed, topic: string): readonly ObservedMessage[] | undefined;
  /** The messages of a topic for the output, each once: those that {@link find} returns, and those that could have been. */
  all(what: Observed, topic: string): readonly ObservedMessage[];
  /** A topic with messages whose name contains that of a topic that does not exist. */
  otherName(topic: string): string | undefined;
  /** When it was looked, and what is due later. */
  moment(): string;
}
