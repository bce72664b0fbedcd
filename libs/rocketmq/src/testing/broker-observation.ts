// What the matchers see of a test broker.

import type { EmbeddedBroker } from '../broker/embedded-broker.js';
import { type GroupRecord, keys, type LogPosition, type TopicRecord } from '../broker/store/records.js';
import { DEAD_LETTER_PROPERTIES } from '../nest/listening/dead-letter-topic.js';
import { jsonCodec } from '../nest/messages/body-codecs.js';
import type { Clock } from '../support/clock.js';
import type { DeliveryHistory } from './delivery-history.js';
import type { Observation, Observed, ObservedMessage } from './observation.js';
import {
  deadLettersOf,
  pendingMessages,
  type TestMessage,
  testMessage,
  unpackedBody,
  type VisibleMessage,
  visibleMessages,
  waitingMessages,
} from './test-messages.js';

/** The most due moments that the output names. */
const MAX_NAMED = 5;

export class BrokerObservation implements Observation {
  readonly codec = jsonCodec;
  private origins: ReadonlySet<string> | undefined;

  constructor(
    private readonly inside: Pick<EmbeddedBroker['inside'], 'store'>,
    private readonly clock: Clock,
    private readonly history: DeliveryHistory,
    private readonly time: { settle(): Promise<void>; readonly movesAlone: boolean },
  ) {}

  settle(): Promise<void> {
    return this.time.settle();
  }

  find(what: Observed, topic: string): readonly ObservedMessage[] {
    if (what === 'sent') return this.sent(topic);
    if (what === 'dead-lettered') return this.deadLetters(topic);
    const passedOn = this.passedOn();
    return this.history.of(topic).flatMap((delivery) => {
      const { message, group, attempt, isAcked } = delivery;
      const state = `acknowledged by group ${group}, attempt ${attempt}`;
      const isDelivered = isAcked && !passedOn.has(originOf(group, topic, message.messageId));
      return isDelivered ? [observed(testMessage(topic, message), { identity: placeOf(delivery), state, group })] : [];
    });
  }

  all(what: Observed, topic: string): readonly ObservedMessage[] {
    const sent = this.sent(topic);
    if (what === 'sent') return sent;
    const found = this.find(what, topic);
    if (what === 'delivered') {
      // Retention may have deleted what was delivered.
      const stored = new Set(sent.map(({ identity }) => identity));
      return [...found.filter(({ identity }) => !stored.has(identity)), ...sent];
    }
    const dead = new Set(found.map(({ messageId }) => messageId));
    return [...found, ...sent.filter(({ messageId }) => !dead.has(messageId))];
  }

  otherName(topic: string): string | undefined {
    const names = this.topics();
    if (names.includes(topic)) return undefined;
    return names.find((name) => name.includes(topic) && this.sent(name).length > 0);
  }

  moment(): string {
    const nowMs = this.clock.nowMs();
    const looked = `Looked at ${timeOf(nowMs)}, after everything that can happen by then`;
    const pending = pendingMessages(this.inside.store);
    if (pending.length === 0) return `${looked}. Nothing is due later.`;
    const named = pending.slice(0, MAX_NAMED).map((message) => {
      const group = 'group' in message ? ` of group ${message.group}` : '';
      return `${message.kind} of ${message.messageId} on "${message.topic}"${group} in ${message.dueAtMs - nowMs} ms`;
    });
    const more = pending.length > MAX_NAMED ? `, and ${pending.length - MAX_NAMED} more` : '';
    const later = this.time.movesAlone ? 'Due later' : 'Due later, so only after advance()';
    return `${looked}. ${later}: ${named.join(', ')}${more}.`;
  }

  private topics(): string[] {
    return Array.from(this.inside.store.scan(keys.topics), ([, topic]) => (topic as TopicRecord).name);
  }

  /** What listeners have passed on to a `deadLetterTopic`, and acknowledged then. */
  private passedOn(): ReadonlySet<string> {
    if (this.origins !== undefined) return this.origins;
    const { topic, messageId, consumerGroup, reason } = DEAD_LETTER_PROPERTIES;
    const passed = this.topics().flatMap((name) => visibleMessages(this.inside.store, name));
    this.origins = new Set(
      passed.flatMap(({ properties }) =>
        properties[reason] === undefined
          ? []
          : [originOf(properties[consumerGroup], properties[topic], properties[messageId])],
      ),
    );
    return this.origins;
  }

  private sent(topic: string): ObservedMessage[] {
    const { store } = this.inside;
    const delayed = waitingMessages(store).filter((message) => message.kind === 'delayed' && message.topic === topic);
    return [
      ...visibleMessages(store, topic).map((message) =>
        observed(message, { identity: placeOf(message), state: this.stateOf(message) }),
      ),
      ...delayed.map((message, index) =>
        observed(message, { identity: `delayed ${index}`, state: `delayed until ${timeOf(message.dueAtMs)}` }),
      ),
    ];
  }

  private deadLetters(topic: string): ObservedMessage[] {
    const { store } = this.inside;
    const groups = Array.from(store.scan(keys.groups), ([, group]) => (group as GroupRecord).name);
    return groups.flatMap((group) => {
      const letters = deadLettersOf(store, group).filter(({ originTopic }) => originTopic === topic);
      return letters.map((message, index) => {
        // A message that was sent twice has one id.
        const earlier = letters.slice(0, index).filter(({ messageId }) => messageId === message.messageId).length;
        const identity = `${message.messageId} ${earlier}`;
        return observed(message, { identity, state: `dead letter of group ${group}`, group });
      });
    });
  }

  /** Where a visible message stands in each group. */
  private stateOf({ topic, messageId, queueId, offset }: VisibleMessage): string {
    const deliveries = this.history.of(topic).filter((one) => one.queueId === queueId && one.offset === offset);
    if (deliveries.length === 0) return 'not delivered to any group';
    const passedOn = this.passedOn();
    return deliveries
      .map(({ group, attempt, isAcked }) => {
        const isPassedOn = passedOn.has(originOf(group, topic, messageId));
        const settled = isPassedOn ? 'passed on to a deadLetterTopic' : 'acknowledged';
        const state = isAcked ? settled : this.unsettledState(topic, messageId, group);
        return `group ${group}: attempt ${attempt}, ${state}`;
      })
      .join('; ');
  }

  private unsettledState(topic: string, messageId: string, group: string): string {
    const isThis = (message: TestMessage & { group?: string }): boolean =>
      message.messageId === messageId && message.group === group;
    if (this.deadLetters(topic).some((letter) => letter.messageId === messageId && letter.group === group))
      return 'dead-lettered';
    const pending = pendingMessages(this.inside.store).find(isThis);
    if (pending === undefined) return 'not acknowledged';
    return pending.kind === 'lease' ? 'held by a consumer' : `due again in ${pending.dueAtMs - this.clock.nowMs()} ms`;
  }
}

type Standing = Pick<ObservedMessage, 'identity' | 'state'> & { readonly group?: string };

function observed(message: TestMessage, { group, ...standing }: Standing): ObservedMessage {
  const { messageId, tag, keys: own, properties, messageGroup } = message;
  return { messageId, tag, keys: own, properties, messageGroup, group, ...standing, bytes: unpackedBody(message) };
}

function originOf(group: string | undefined, topic: string | undefined, messageId: string | undefined): string {
  return JSON.stringify([group, topic, messageId]);
}

function placeOf({ queueId, offset }: LogPosition): string {
  return `${queueId}/${offset}`;
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
