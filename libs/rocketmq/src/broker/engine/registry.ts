// Topics and consumer groups: declared, or created on first use unless the broker is strict.

import { DEFAULT_BACKOFF } from '../../protocol/model/delay-levels.js';
import { type LiteGroup, resolvedLiteGroup } from '../../protocol/model/lite-group.js';
import type { MessageType, TopicType } from '../../protocol/model/message.js';
import { DEAD_LETTER_PREFIX, deadLetterTopicOf, RETRY_PREFIX } from '../../protocol/model/names.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import { type DeliveryRecord, type GroupRecord, keys, type StoredMessage, type TopicRecord } from '../store/records.js';
import type { Changes } from './changes.js';
import { Rejection } from './rejection.js';

/** The default number of queues (`mqadmin updateTopic`). */
const DEFAULT_QUEUES = 8;
/** `retryMaxTimes` 16, plus the first delivery. */
export const DEFAULT_MAX_DELIVERY_ATTEMPTS = 17;
export interface TopicDeclaration {
  /** The name of the topic. */
  readonly name: string;
  /** The type of its messages. Default `normal`. */
  readonly type?: TopicType;
  /** The number of queues. Default 8; unchanged for an existing topic. */
  readonly queues?: number;
}

/** The desired settings of a topic; those of an existing topic may differ. */
export interface TopicAlteration {
  readonly name: string;
  /** Undefined: unchanged, or `normal` for a new topic. */
  readonly type: TopicType | undefined;
  readonly queues: number;
}

export interface GroupDeclaration {
  /** The name of the group. */
  readonly name: string;
  /** Whether the messages of a message group are delivered one after another. Default false. */
  readonly fifo?: boolean;
  /** Deliveries before a message becomes a dead letter, 1 to 2147483647. Default 17. */
  readonly maxDeliveryAttempts?: number;
  /** The delays between deliveries; push consumers receive them. Default: the server's list from 1 s to 2 h. */
  readonly backoff?: BackoffPolicy;
  /** Binds the group to the lite topics of a topic. Default: it is an ordinary group. */
  readonly lite?: LiteGroup;
}

/** The existing topics and groups. */
export class Registry {
  /** @param assertRoom throws a Rejection `store-full` when the store has no room for a topic, a group, or these messages */
  constructor(
    private readonly strict: boolean,
    readonly assertRoom: (messages?: readonly StoredMessage[]) => void,
  ) {}

  declareTopic(changes: Changes, { name, type = 'normal', ...declaration }: TopicDeclaration): void {
    const existing = changes.get<TopicRecord>(keys.topic(name));
    const queues = declaration.queues ?? existing?.queues ?? DEFAULT_QUEUES;
    if (existing !== undefined && queues < existing.queues) {
      throw new Rejection(
        'type-conflict',
        `topic "${name}" has ${existing.queues} queues; it cannot shrink to ${queues}`,
      );
    }
    if (existing?.type !== undefined && existing.type !== type) {
      throw new Rejection('type-conflict', `topic "${name}" is of type ${existing.type}; it cannot become ${type}`);
    }
    changes.put(keys.topic(name), { name, type, queues } satisfies TopicRecord);
  }

  /**
   * Creates or alters a topic. Messages stay in their queues: those in a removed queue are not delivered until the topic
   * has that queue again.
   * @throws Rejection `store-full` for a new one
   */
  alterTopic(changes: Changes, { name, type, queues }: TopicAlteration): void {
    const existing = changes.get<TopicRecord>(keys.topic(name));
    if (existing === undefined) this.assertRoom();
    changes.put(keys.topic(name), { name, type: type ?? existing?.type ?? 'normal', queues } satisfies TopicRecord);
    changes.markAvailable(name);
  }

  /**
   * Creates or alters a group. The settings apply from its next pop on; consumers receive them with their next settings.
   * @throws Rejection `store-full` for a new one
   */
  alterGroup(changes: Changes, group: GroupRecord): void {
    const existing = changes.get<GroupRecord>(keys.group(group.name));
    if (existing === undefined) this.assertRoom();
    if (existing?.fifo === true && !group.fifo) forgetOrder(changes, group.name);
    changes.put(keys.group(group.name), group);
  }

  declareGroup(changes: Changes, declaration: GroupDeclaration): void {
    const { name, fifo = false, maxDeliveryAttempts = DEFAULT_MAX_DELIVERY_ATTEMPTS } = declaration;
    const existing = changes.get<GroupRecord>(keys.group(name));
    const wasUsed = changes.scan(keys.cursorsOf(name), {}, 1).length > 0;
    if (existing !== undefined && wasUsed) assertSameKind(existing, fifo, declaration.lite);
    const backoff = declaration.backoff ?? DEFAULT_BACKOFF;
    const lite = declaration.lite && resolvedLiteGroup(declaration.lite);
    changes.put(keys.group(name), {
      name,
      fifo,
      maxDeliveryAttempts,
      backoff,
      // Groups are declared at each start, and a pause outlasts it.
      ...(existing?.isPaused === true && { isPaused: true }),
      ...(lite && { lite }),
    } satisfies GroupRecord);
  }

  /** @throws Rejection `unknown-topic` when the broker is strict, `store-full` */
  topic(changes: Changes, name: string): TopicRecord {
    const topic = changes.get<TopicRecord>(keys.topic(name));
    if (topic !== undefined) return topic;
    // The dead letter queue of a group is created with its first dead letter, as on the real server.
    if (this.strict || name.startsWith(deadLetterTopicOf(''))) {
      const words = `No topic route info in name server for the topic: ${name}`;
      throw new Rejection('unknown-topic', `${words}; topic "${name}" does not exist`);
    }
    this.assertRoom();
    return this.createTopic(changes, name, undefined, DEFAULT_QUEUES);
  }

  /** Returns the topic if it accepts messages of this type. */
  topicFor(changes: Changes, name: string, type: MessageType): TopicRecord {
    const topic = this.topic(changes, name);
    if (topic.type === type) return topic;
    if (topic.type !== undefined || type === 'lite' || type === 'priority') {
      const takes = topic.type === undefined ? 'normal, fifo, delay or transaction messages' : `${topic.type} messages`;
      const words = wrongTypeWords(topic.type ?? 'mixed', type);
      throw new Rejection('type-conflict', `${words}: topic "${name}" takes ${takes}, this message is of type ${type}`);
    }
    return this.createTopic(changes, name, type, topic.queues);
  }

  /**
   * Returns a topic whatever its type, as brokers do: in RocketMQ the proxy validates types.
   * @param queuesWhenNew how many queues it has when this creates it; undefined: it is not created
   * @throws Rejection `unknown-topic`, `store-full`
   */
  topicOfAnyType(changes: Changes, name: string, queuesWhenNew: number | undefined): TopicRecord {
    const topic = changes.get<TopicRecord>(keys.topic(name));
    if (topic !== undefined) return topic;
    const group = name.startsWith(RETRY_PREFIX) ? name.slice(RETRY_PREFIX.length) : '';
    if (changes.get(keys.group(group)) !== undefined) return this.systemTopic(changes, name);
    if (this.strict || queuesWhenNew === undefined || group !== '' || name.startsWith(DEAD_LETTER_PREFIX)) {
      throw new Rejection('unknown-topic', `topic[${name}] not exist, apply first please!`);
    }
    this.assertRoom();
    return this.createTopic(changes, name, undefined, queuesWhenNew);
  }

  /** A topic of the server's own. It is created with its first message. */
  systemTopic(changes: Changes, name: string): TopicRecord {
    return changes.get<TopicRecord>(keys.topic(name)) ?? this.createTopic(changes, name, 'normal', 1);
  }

  /**
   * @param fifo whether a group that is created by this call is ordered
   * @throws Rejection `unknown-group` when the broker is strict, `store-full`
   */
  group(changes: Changes, name: string, fifo = false): GroupRecord {
    const group = changes.get<GroupRecord>(keys.group(name));
    if (group !== undefined) return group;
    if (this.strict) throw new Rejection('unknown-group', `group not found: ${name}`);
    this.assertRoom();
    this.declareGroup(changes, { name, fifo });
    return changes.get<GroupRecord>(keys.group(name)) as GroupRecord;
  }

  private createTopic(changes: Changes, name: string, type: MessageType | undefined, queues: number): TopicRecord {
    const topic: TopicRecord = { name, type, queues };
    changes.put(keys.topic(name), topic);
    return topic;
  }
}

/** @throws Rejection `type-conflict` when the way in which a group receives would change */
function assertSameKind(existing: GroupRecord, fifo: boolean, lite: LiteGroup | undefined): void {
  const reject = (was: string): never => {
    const text = `group "${existing.name}" is ${was} and has received messages; that cannot change`;
    throw new Rejection('type-conflict', text);
  };
  if (existing.fifo !== fifo) reject(existing.fifo ? 'ordered' : 'not ordered');
  if (existing.lite?.topic === lite?.topic) return;
  reject(existing.lite === undefined ? 'not bound to lite topics' : `bound to lite topics of "${existing.lite.topic}"`);
}

/** The real server's message for a message type that the topic does not accept. */
export function wrongTypeWords(expected: MessageType | 'mixed' | 'unspecified', actual: MessageType): string {
  const [takes, is] = [expected.toUpperCase(), actual.toUpperCase()];
  return `TopicMessageType validate failed, the expected type is ${takes}, but actual type is ${is}`;
}

/** Deletes what only ordered groups have: acks behind an unsettled message, and the attempt ids of their pops. */
function forgetOrder(changes: Changes, group: string): void {
  for (const [key, record] of changes.scan<DeliveryRecord>(keys.deliveriesOfGroup(group))) {
    if (record.state.kind === 'acked') changes.delete(key);
  }
  for (const [key] of changes.scan(keys.attemptIdsOf(group))) changes.delete(key);
}
