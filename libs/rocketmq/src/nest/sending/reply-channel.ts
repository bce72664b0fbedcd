// Receives answers: on a topic of the application, with a tag and a consumer group of this instance.

import type { Connection } from '../../client/connection.js';
import type { StartOptions } from '../../client/lifecycle-options.js';
import { PushConsumer } from '../../consumer/push-consumer.js';
import type { MessageView } from '../../protocol/model/message.js';
import { StateError, UsageError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { RocketMQTelemetry } from '../common/telemetry.js';
import type { MessageWire } from '../messages/message-body.js';
import type { ResourceNames } from '../messages/resource-names.js';
import { REPLY_TOPIC_MARK, REQUEST_PROPERTIES, type ReplyAddress, replyOf } from './reply-message.js';

/** A consumer group of one instance of the application, to be created. */
export interface InstanceGroup {
  /** The name on the cluster. */
  readonly consumerGroup: string;
  readonly fifo: boolean;
  /** Its subscriptions. */
  readonly topics: readonly string[];
}

/** Creates the topic and the group for answers, and deletes the group. */
interface ReplyGroups {
  ensureTopic(topic: string, signal: AbortSignal | undefined): Promise<void>;
  make(group: InstanceGroup, signal: AbortSignal | undefined): Promise<void>;
  remove(consumerGroup: string): Promise<void>;
}

/** The topic, tag and group for answers. */
interface ReplyChannelParts {
  readonly connection: Connection;
  readonly groups: ReplyGroups;
  /** The name on the cluster. */
  readonly topic: string;
  /** The name on the cluster; for this instance only. */
  readonly consumerGroup: string;
  /** For this instance only. */
  readonly tag: string;
  readonly wire: Pick<MessageWire, 'codec' | 'hooks'>;
  readonly logger: Logger;
  readonly telemetry: RocketMQTelemetry | undefined;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Receives the answers to the requests of one instance. */
export class ReplyChannel {
  private readonly waiting = new Map<string, Waiting>();
  private readonly consumer: PushConsumer;
  private late = 0;

  constructor(private readonly parts: ReplyChannelParts) {
    const { connection, consumerGroup, topic, tag, telemetry } = parts;
    this.consumer = new PushConsumer(connection, {
      consumerGroup,
      subscriptions: [{ topic, filter: { kind: 'tag', expression: tag } }],
      handler: (message) => this.receive(message),
      telemetry,
    });
  }

  /** Answers that arrived when no request waited for them any more, or arrived twice. */
  get lateReplies(): number {
    return this.late;
  }

  /** Requests that wait for their answers. */
  get pending(): number {
    return this.waiting.size;
  }

  /** Creates topic and group, and starts to receive. @throws what the admin connection or the consumer throws */
  async open(options: StartOptions): Promise<void> {
    const { groups, topic, consumerGroup } = this.parts;
    await groups.ensureTopic(topic, options.signal);
    await groups.make({ consumerGroup, fifo: false, topics: [topic] }, options.signal);
    await this.consumer.start(options);
  }

  addressOf(requestId: string): ReplyAddress {
    const { topic, tag } = this.parts;
    return { topic, tag, requestId };
  }

  /** The answer to a request that is about to be sent. Call {@link forget} in the end. */
  expect(requestId: string): Promise<unknown> {
    const answer = new Promise<unknown>((resolve, reject) => this.waiting.set(requestId, { resolve, reject }));
    // The answer may be rejected while its request is still being sent.
    answer.catch(() => {});
    return answer;
  }

  forget(requestId: string): void {
    this.waiting.delete(requestId);
  }

  /** Waiting requests fail; the group is deleted. */
  async close(): Promise<void> {
    const closed = new StateError(
      'CLOSED',
      'the application is shutting down; whether the request took effect is unknown',
      { outcome: 'unknown' },
    );
    for (const { reject } of this.waiting.values()) reject(closed);
    this.waiting.clear();
    await this.consumer.close({ shutdownGraceMs: 0 });
    await this.parts.groups.remove(this.parts.consumerGroup);
  }

  private async receive(received: MessageView): Promise<void> {
    const message = await this.unhooked(received);
    const requestId = message.properties[REQUEST_PROPERTIES.requestId];
    const waiting = requestId === undefined ? undefined : this.waiting.get(requestId);
    if (requestId === undefined || waiting === undefined) {
      this.late += 1;
      this.parts.logger.debug('an answer without a waiting request was dropped', { messageId: message.messageId });
      return;
    }
    this.waiting.delete(requestId);
    try {
      const reply = replyOf(message, this.parts.wire.codec);
      if (reply.kind === 'error') waiting.reject(reply.error);
      else waiting.resolve(reply.value);
    } catch (error) {
      const text = `the answer ${message.messageId} cannot be decoded (${describeError(error)}); the request took effect`;
      waiting.reject(new StateError('INVALID_REPLY', text, { outcome: 'unknown' }));
    }
  }

  private async unhooked(message: MessageView): Promise<MessageView> {
    const { consumerGroup, wire } = this.parts;
    return wire.hooks === undefined ? message : wire.hooks.incoming(message, { consumerGroup });
  }
}

/** How answers are received: the module option `requests`. */
export interface RocketMQRequestOptions {
  /**
   * The last part of the name of the reply topic, `nestjs-rocketmq-reply-<application>`, which all instances of the application
   * share. 1 to 60 letters, digits, `-` and `_`.
   */
  readonly application: string;
  /** The default timeout of an answer, in milliseconds. Default 10 000. */
  readonly timeoutMs?: number;
}

/** The module options in use here. */
interface ReplyOptions extends Pick<ReplyChannelParts, 'logger'> {
  readonly requests?: RocketMQRequestOptions;
  readonly names: ResourceNames;
  readonly telemetry?: RocketMQTelemetry;
}

/**
 * The reply channel of an instance of an application; not open yet.
 * @throws UsageError when `resolveTopic` removes the mark of reply topics from the name
 */
export function replyChannelOf(
  { requests, names, logger, telemetry }: ReplyOptions,
  instanceId: string,
  parts: Pick<ReplyChannelParts, 'connection' | 'groups' | 'wire'>,
): ReplyChannel {
  const name = `${REPLY_TOPIC_MARK}${requests?.application ?? ''}`;
  const consumerGroup = names.group(`${name}-${instanceId}`);
  const topic = replyTopicOf(name, names);
  return new ReplyChannel({ ...parts, logger, telemetry, tag: instanceId, topic, consumerGroup });
}

/** The name of the reply topic on the cluster. @throws UsageError when `resolveTopic` removes the mark of reply topics */
function replyTopicOf(name: string, names: ResourceNames): string {
  const topic = names.topic(name);
  if (topic.includes(REPLY_TOPIC_MARK)) return topic;
  const text = `option resolveTopic returns "${topic}" for "${name}"; the name of a reply topic must contain "${REPLY_TOPIC_MARK}"`;
  throw new UsageError('ILLEGAL_OPTION', text, 'resolveTopic');
}
