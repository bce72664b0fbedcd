// Administrative changes: deletes topics and groups, moves groups, stores messages in a given queue.

import { RETRY_PREFIX } from '../../protocol/model/names.js';
import { queueOfMessageGroup } from '../../protocol/model/queue-hash.js';
import type { LogPosition } from '../store/records.js';
import {
  type ConsumeMode,
  type DeliveryRecord,
  type GroupRecord,
  type HalfRecord,
  isOrdered,
  keys,
  type QueueRef,
  type StoredMessage,
  type TopicRecord,
} from '../store/records.js';
import type { Key } from '../store/store.js';
import type { Changes } from './changes.js';
import type { Deliveries } from './deliveries.js';
import type { LiteTopics } from './lite-topics.js';
import type { MessageLog } from './log.js';
import { dueAtOf } from './recall-handle.js';
import type { Registry } from './registry.js';
import { Rejection } from './rejection.js';

/** More than any test has ordered topics and paused groups. */
const MAX_SETTINGS = 10_000;

/** Runs a command atomically: when it throws, none of its changes are applied. */
type Run = <T>(command: (changes: Changes) => T) => T;

export class Administration {
  constructor(
    private readonly run: Run,
    private readonly registry: Registry,
    private readonly log: MessageLog,
    private readonly deliveries: Deliveries,
    private readonly liteTopics: LiteTopics,
  ) {}

  /** Deletes a topic with its messages, delayed and half ones included, and the groups' state in it. @returns whether it existed */
  deleteTopic(name: string): boolean {
    return this.run((changes) => {
      const existed = changes.get(keys.topic(name)) !== undefined;
      changes.delete(keys.topic(name));
      this.liteTopics.deleteAll(changes, name);
      this.deleteMessagesOf(changes, name);
      for (const prefix of [keys.begins(name), keys.ends(name)]) deleteAll(changes, prefix);
      for (const [, group] of changes.scan<GroupRecord>(keys.groups)) this.forget(changes, group.name, name);
      // Those of groups that were deleted without their offsets.
      for (const [key] of changes.scan(keys.cursors)) if (key[2] === name) changes.delete(key);
      changes.markTrail({ deleted: { topic: name } });
      return existed;
    });
  }

  /**
   * Deletes all messages, delayed, half and dead ones included, and their deliveries. Topics, groups and offsets stay, so that connected
   * consumers receive what is sent next.
   */
  deleteMessages(): void {
    this.run((changes) => {
      for (const [, { name }] of changes.scan<TopicRecord>(keys.topics)) {
        this.deleteMessagesOf(changes, name);
        changes.markTrail({ deleted: { topic: name } });
      }
      for (const [key, end] of changes.scan<number>(keys.allEnds)) {
        const [, topic, queueId] = key as [string, string, number];
        changes.put(keys.begin(topic, queueId), end);
      }
      for (const [, { name }] of changes.scan<GroupRecord>(keys.groups)) this.dropDeliveries(changes, name);
    });
  }

  /**
   * Deletes a group with its state in all topics. Its dead letters stay.
   * @param keepsOffsets whether a group that is created with this name starts where it was, at the first message that is not settled
   * @returns whether it existed
   */
  deleteGroup(name: string, keepsOffsets = false): boolean {
    return this.run((changes) => {
      const existed = changes.get(keys.group(name)) !== undefined;
      changes.delete(keys.group(name));
      if (keepsOffsets) this.returnToUnsettled(changes, name);
      else this.forget(changes, name);
      changes.markTrail({ deleted: { group: name } });
      return existed;
    });
  }

  /**
   * Moves a group to an offset of a queue. Messages from that offset on count as not delivered; earlier unsettled ones are redelivered as
   * before, except in an ordered group, which starts over.
   */
  moveGroup(group: GroupRecord, { topic, queueId, offset }: { topic: string; queueId: number; offset: number }): void {
    this.run((changes) => {
      const queue: QueueRef = { group: group.name, topic, queueId };
      for (const [key, { state }] of changes.scan<DeliveryRecord>(keys.deliveriesOf(queue))) {
        const at = key.at(-1) as number;
        if (at >= offset || isOrdered(group)) this.deliveries.drop(changes, queue, at, state);
      }
      changes.delete(keys.attemptId(queue));
      changes.put(keys.cursor(queue), offset);
      changes.markAvailable(topic, group.name);
    });
  }

  /**
   * Stores the position of a group in a queue, as its consumers report it. Unlike {@link moveGroup} it starts nothing over: consumers that pull
   * report it with each request.
   */
  commitOffset(queue: QueueRef, offset: number): void {
    this.run((changes) => {
      if (changes.get<number>(keys.cursor(queue)) === offset) return;
      // What was popped from there on would be popped again, and its old receipt must not settle that.
      for (const [key, { state }] of changes.scan<DeliveryRecord>(keys.deliveriesOf(queue))) {
        const at = key.at(-1) as number;
        if (at >= offset) this.deliveries.drop(changes, queue, at, state);
      }
      changes.put(keys.cursor(queue), offset);
    });
  }

  /** Undefined for a group whose mode nobody has set. */
  consumeMode(group: string, topic: string): ConsumeMode | undefined {
    return this.run((changes) => changes.get<ConsumeMode>(keys.mode(group, topic)));
  }

  /** @throws Rejection `unknown-group`, `store-full` */
  setConsumeMode(group: string, topic: string, mode: ConsumeMode): void {
    this.run((changes) => {
      this.registry.group(changes, group);
      changes.put(keys.mode(group, topic), mode);
    });
  }

  /** What a name server keeps: as it is stored there. @throws Rejection `store-full` */
  putSetting({ namespace, key, value }: { namespace: string; key: string; value: string }): void {
    this.run((changes) => {
      const name = keys.setting(namespace, key);
      if (changes.get(name) === undefined) this.registry.assertRoom();
      if (changes.scan(keys.settings, {}, MAX_SETTINGS).length === MAX_SETTINGS && changes.get(name) === undefined)
        throw new Rejection('store-full', `there are ${MAX_SETTINGS} settings already`);
      changes.put(name, value);
    });
  }

  deleteSetting(namespace: string, key: string): void {
    this.run((changes) => changes.delete(keys.setting(namespace, key)));
  }

  /** The topic in which the retries of a group that pulls are stored exists from its first consumer on, as on the real server. */
  ensureRetryTopic(group: string): void {
    this.run((changes) => this.registry.systemTopic(changes, RETRY_PREFIX + group));
  }

  /**
   * Stores a message whatever the topic's type; one of a lite topic in the queue of that. In RocketMQ, too, the proxy validates types, not the broker.
   * @param queueId the queue is chosen as for a sent message if undefined
   * @throws Rejection `unknown-topic`, `store-full`
   */
  put(name: string, queueId: number | undefined, message: StoredMessage): LogPosition {
    this.registry.assertRoom([message]);
    return this.run((changes) => {
      const topic = this.registry.topic(changes, name);
      if (message.liteTopic !== undefined && topic.type === 'lite') {
        return this.log.append(changes, topic, this.liteTopics.queueFor(changes, name, message.liteTopic), message);
      }
      return this.log.append(changes, topic, queueId ?? this.queueFor(topic, message), message);
    });
  }

  private queueFor(topic: TopicRecord, { messageGroup, priority }: StoredMessage): number {
    if (messageGroup !== undefined) return queueOfMessageGroup(messageGroup, topic.queues);
    return this.log.chooseQueue(topic, { priority });
  }

  private deleteMessagesOf(changes: Changes, topic: string): void {
    for (const prefix of [keys.log(topic), keys.indexOf(topic)]) deleteAll(changes, prefix);
    for (const [key] of changes.scan(keys.delayedOf(topic), { tolerant: true })) {
      changes.delete(key);
      changes.deleteDue(dueAtOf(key), { kind: 'delayed', key });
    }
    for (const [key, half] of changes.scan<HalfRecord | undefined>(keys.halvesOf(topic), { tolerant: true })) {
      changes.delete(key);
      // A half message that cannot be read keeps its check, which finds nothing and ends.
      if (half !== undefined) changes.deleteDue(half.nextCheckAtMs, { kind: 'check', key });
    }
  }

  /** Deletes the state of a group in one topic, or in all. */
  private forget(changes: Changes, group: string, topic?: string): void {
    this.dropDeliveries(changes, group, topic);
    for (const prefix of [keys.cursorsOf(group), keys.modesOf(group)]) deleteAll(changes, within(prefix, topic));
  }

  /** Moves a group in each queue to its first message that is not settled. */
  private returnToUnsettled(changes: Changes, group: string): void {
    const moved = new Set<string>();
    for (const [key, { state }] of changes.scan<DeliveryRecord>(keys.deliveriesOfGroup(group))) {
      const [, , topic, queueId, offset] = key as [string, string, string, number, number];
      const name = `${topic} ${queueId}`;
      if (state.kind === 'acked' || moved.has(name)) continue;
      moved.add(name);
      const cursor = keys.cursor({ group, topic, queueId });
      changes.put(cursor, Math.min(offset, changes.get<number>(cursor) ?? offset));
    }
    this.dropDeliveries(changes, group);
  }

  private dropDeliveries(changes: Changes, group: string, topic?: string): void {
    for (const [key, { state }] of changes.scan<DeliveryRecord>(within(keys.deliveriesOfGroup(group), topic))) {
      const [, , topicOf, queueId, offset] = key as [string, string, string, number, number];
      this.deliveries.drop(changes, { group, topic: topicOf, queueId }, offset, state);
    }
    deleteAll(changes, within(keys.attemptIdsOf(group), topic));
  }
}

function within(prefix: Key, topic: string | undefined): Key {
  return topic === undefined ? prefix : [...prefix, topic];
}

function deleteAll(changes: Changes, prefix: Key): void {
  for (const [key] of changes.scan(prefix, { tolerant: true })) changes.delete(key);
}
