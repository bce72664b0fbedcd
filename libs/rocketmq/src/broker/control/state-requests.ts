// The state that the control port returns. Reads only.

import { ALWAYS, messagesById, messagesByKey } from '../engine/message-index.js';
import { queueRanges, topicsOfGroup } from '../engine/offsets.js';
import { messageAt } from '../engine/views.js';
import { peek } from '../store/damaged-record.js';
import {
  type DeliveryRecord,
  dueOf,
  type GroupRecord,
  type HalfRecord,
  keys,
  type StoredMessage,
  type TopicRecord,
} from '../store/records.js';
import type { Key } from '../store/store.js';
import type { ControlContext } from './control-context.js';
import type { Fields } from './control-input.js';
import { ControlRejection } from './control-rejection.js';
import type {
  BrokerState,
  ClientState,
  DelayedMessageState,
  DeliveryState,
  GroupState,
  HalfMessageState,
  LagState,
  Page,
  TopicState,
  VisibleMessageState,
} from './control-views.js';
import { lagOfGroup } from './lag.js';
import { delayedMessage, halfMessage, visibleMessage } from './message-views.js';
import { nextTurn, pageOf, pageOfList, pageOptionsOf } from './pages.js';

export class StateRequests {
  constructor(private readonly broker: ControlContext) {}

  state(): BrokerState {
    const { engine, store, storage, clock, clients } = this.broker;
    const nextDueAtMs = engine.nextDueAtMs();
    return {
      nowMs: clock.nowMs(),
      endpoints: this.broker.endpoints(),
      storage: { medium: storage, bytes: store.usedBytes() },
      topics: engine.topics().length,
      groups: engine.groups().length,
      clients: clients.all().length,
      ...(nextDueAtMs !== undefined && { nextDueAtMs }),
    };
  }

  topics(fields: Fields): Page<TopicState> {
    const options = pageOptionsOf(fields);
    fields.end();
    const { store } = this.broker;
    return pageOf(store, keys.topics, options, (_, value) => this.topicState(value as TopicRecord));
  }

  groups(fields: Fields): Page<GroupState> {
    const options = pageOptionsOf(fields);
    fields.end();
    const { store, clients } = this.broker;
    return pageOf(store, keys.groups, options, (_, value) => {
      const { name, fifo, maxDeliveryAttempts, backoff, lite } = value as GroupRecord;
      return {
        name,
        fifo,
        maxDeliveryAttempts,
        backoff,
        ...(lite && { lite }),
        consumers: clients.consumersOf(name),
        topics: topicsOfGroup(store, name),
      };
    });
  }

  /** The lag of one group, or of a page of groups. */
  async lag(fields: Fields): Promise<Page<LagState>> {
    const { limit, after } = pageOptionsOf(fields);
    const name = fields.name('group');
    fields.end();
    const { store } = this.broker;
    if (name !== undefined) return { items: await lagOfGroup(store, this.group(name)) };
    const items: LagState[] = [];
    let next = after;
    do {
      const page = pageOf(store, keys.groups, { limit: 1, after: next }, (_, value) => value as GroupRecord);
      for (const group of page.items) items.push(...(await lagOfGroup(store, group)));
      next = page.next;
      await nextTurn();
    } while (next !== undefined && items.length < limit);
    return { items, ...(next && { next }) };
  }

  /** All messages that were delivered to groups and are not settled. */
  inFlight(fields: Fields): Page<DeliveryState> {
    const options = pageOptionsOf(fields);
    const [group, topic] = [fields.name('group'), fields.name('topic')];
    const messageId = fields.text('messageId');
    fields.end();
    const prefix = group === undefined ? keys.deliveries : keys.deliveriesOfGroup(group);
    return pageOf(this.broker.store, prefix, options, (key, value) => {
      if (topic !== undefined && key[2] !== topic) return undefined;
      const state = this.deliveryState(key, value as DeliveryRecord);
      return messageId === undefined || state?.messageId === messageId ? state : undefined;
    });
  }

  /** The earliest first; optionally only those with one message id. */
  delayed(fields: Fields): Page<DelayedMessageState> {
    const options = pageOptionsOf(fields);
    const [topic, messageId] = [fields.name('topic'), fields.text('messageId')];
    fields.end();
    const { store } = this.broker;
    if (messageId !== undefined) {
      if (topic === undefined) throw new ControlRejection(400, 'ILLEGAL_ARGUMENT', 'messageId requires a topic');
      const view = (key: Key, message: unknown) =>
        delayedMessage(key, message as StoredMessage, this.broker.clientTime);
      return pageOf(store, keys.delayedById(topic, messageId), options, view);
    }
    return pageOf(store, keys.dues, options, (key) => {
      const due = dueOf(key);
      if (due.kind !== 'delayed' || (topic ?? due.key[1]) !== due.key[1]) return undefined;
      const message = peek(store, due.key) as StoredMessage | undefined;
      return message && delayedMessage(due.key, message, this.broker.clientTime);
    });
  }

  halfMessages(fields: Fields): Page<HalfMessageState> {
    const options = pageOptionsOf(fields);
    const topic = fields.name('topic');
    fields.end();
    const prefix = topic === undefined ? keys.halves : keys.halvesOf(topic);
    return pageOf(this.broker.store, prefix, options, (key, half) =>
      halfMessage(key[1] as string, half as HalfRecord, this.broker.clientTime),
    );
  }

  clients(fields: Fields): Page<ClientState> {
    const options = pageOptionsOf(fields);
    fields.end();
    return pageOfList(this.broker.clients.all(), options, ({ clientId }) => clientId);
  }

  /** The visible messages of a topic, by queue; by id or key, those stored since the control port was enabled. */
  messages(fields: Fields): Page<VisibleMessageState> {
    const options = pageOptionsOf(fields);
    const topic = fields.requiredName('topic');
    const [messageId, key] = [fields.text('messageId'), fields.text('key')];
    fields.end();
    const { store, clientTime } = this.broker;
    const { limit } = options;
    if (messageId !== undefined)
      return {
        items: messagesById(store, { topic, messageId, limit, ...ALWAYS }).map((one) =>
          visibleMessage(one, clientTime),
        ),
      };
    if (key !== undefined) {
      return {
        items: messagesByKey(store, { topic, key, limit, ...ALWAYS }).map((one) => visibleMessage(one, clientTime)),
      };
    }
    return pageOf(store, keys.log(topic), options, (at, message) => {
      const [queueId, offset] = at.slice(-2) as [number, number];
      return visibleMessage({ topic, queueId, offset, message: message as StoredMessage }, clientTime);
    });
  }

  private topicState(topic: TopicRecord): TopicState {
    const queues = queueRanges(this.broker.store, topic).map(({ queueId, minOffset, maxOffset }) => {
      return { queueId, minOffset, maxOffset };
    });
    const messages = queues.reduce((sum, { minOffset, maxOffset }) => sum + maxOffset - minOffset, 0);
    return { name: topic.name, ...(topic.type && { type: topic.type }), messages, queues };
  }

  private deliveryState(key: Key, { attempt, state }: DeliveryRecord): DeliveryState | undefined {
    if (state.kind === 'acked') return undefined;
    const [, group, topic, queueId, offset] = key as [string, string, string, number, number];
    const message = messageAt(this.broker.store, topic, queueId, offset);
    if (message === undefined) return undefined;
    const isLeased = state.kind === 'leased';
    return {
      group,
      topic,
      queueId,
      offset,
      messageId: message.messageId,
      state: isLeased ? (state.changed ? 'retry' : 'held') : 'ready',
      attempt: message.earlierAttempts + attempt,
      atMs: isLeased ? state.endsAtMs : state.sinceMs,
      ...(isLeased && state.holder && { clientId: state.holder }),
    };
  }

  private group(name: string): GroupRecord {
    const group = this.broker.engine.findGroup(name);
    if (group !== undefined) return group;
    throw new ControlRejection(404, 'UNKNOWN_GROUP', `group "${name}" does not exist`);
  }
}
