// Counts messages since the start, for metrics only.

import type { MessageType } from '../../protocol/model/message.js';
import type { DeadLetterMark } from './changes.js';
import type { Delivery } from './deliveries.js';
import type { StoredMessage } from './records.js';
import type { Resolution } from './transactions.js';

/** A number of messages and the total size of their bodies. */
export interface Amount {
  readonly messages: number;
  readonly bytes: number;
}

interface Tally<L> {
  readonly labels: L;
  messages: number;
  bytes: number;
}

/** The count for a set of labels. */
export type Counted<L> = L & Amount;

interface SentLabels {
  readonly topic: string;
  readonly messageType: MessageType;
}

interface GroupLabels {
  readonly topic: string;
  readonly group: string;
}

interface EndLabels {
  readonly topic: string;
  readonly resolution: 'commit' | 'rollback';
}

/** Counts messages. */
export class Traffic {
  private readonly incoming = new Tallies<SentLabels>();
  private readonly outgoing = new Tallies<GroupLabels>();
  private readonly dead = new Tallies<GroupLabels>();
  private readonly ends = new Tallies<EndLabels>();

  /** Counts the accepted messages of one request, which have the same type. */
  sent(topic: string, messages: readonly StoredMessage[]): void {
    const [first] = messages;
    if (first === undefined) return;
    const messageType = first.type;
    const tally = this.incoming.at(topic, messageType) ?? this.incoming.add(topic, messageType, { topic, messageType });
    for (const { body } of messages) count(tally, body.length);
  }

  /** Counts the deliveries of one pop, redeliveries included. */
  handedOut(topic: string, group: string, deliveries: readonly Pick<Delivery, 'message'>[]): void {
    if (deliveries.length === 0) return;
    const tally = this.outgoing.at(topic, group) ?? this.outgoing.add(topic, group, { topic, group });
    for (const { message } of deliveries) count(tally, message.body.length);
  }

  deadLettered(deadLetters: readonly DeadLetterMark[]): void {
    for (const { topic, group } of deadLetters) {
      count(this.dead.at(topic, group) ?? this.dead.add(topic, group, { topic, group }), 0);
    }
  }

  /** Counts a transaction that ended. */
  ended(topic: string, resolution: Resolution): void {
    if (resolution === 'unspecified') return;
    count(this.ends.at(topic, resolution) ?? this.ends.add(topic, resolution, { topic, resolution }), 0);
  }

  /** All counts. */
  get counted() {
    const { incoming, outgoing, dead, ends } = this;
    return { sent: incoming.all(), handedOut: outgoing.all(), deadLetters: dead.all(), ends: ends.all() };
  }
}

/** Counts by two labels. */
class Tallies<L> {
  private readonly tallies = new Map<string, Map<string, Tally<L>>>();

  at(first: string, second: string): Tally<L> | undefined {
    return this.tallies.get(first)?.get(second);
  }

  add(first: string, second: string, labels: L): Tally<L> {
    const tally: Tally<L> = { labels, messages: 0, bytes: 0 };
    const row = this.tallies.get(first) ?? new Map<string, Tally<L>>();
    this.tallies.set(first, row.set(second, tally));
    return tally;
  }

  all(): Counted<L>[] {
    return [...this.tallies.values()].flatMap((row) =>
      [...row.values()].map(({ labels, messages, bytes }) => ({ ...labels, messages, bytes })),
    );
  }
}

function count(tally: Tally<unknown>, bytes: number): void {
  tally.messages++;
  tally.bytes += bytes;
}
