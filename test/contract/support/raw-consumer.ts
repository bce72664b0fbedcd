// A low-level consumer, for what the client does not expose: handles, attempts, queue ids, repeats.

import { expect } from '@jest/globals';
import { toDuration } from '../../../libs/rocketmq/src/protocol/grpc/duration.js';
import {
  ClientType,
  LiteSubscriptionAction,
  type Message,
} from '../../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest } from '../../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { codeName } from '../../../libs/rocketmq/src/protocol/grpc/status.js';
import { messagesIn } from '../../../tools/wire/broker-wire.js';
import { consumerSettings, type RawClient, receiveRequest, resource } from '../../../tools/wire/raw-grpc-client.js';
import type { World } from './world.js';

/** One received message. */
export interface Received {
  readonly id: string;
  readonly attempt: number;
  readonly handle: string;
  readonly queueId: number;
  readonly message: Message;
}

/** The shortest poll that servers accept. */
const POLL_MS = 5_000;
/** The shortest lease that servers accept. */
export const LEASE_MS = 10_000;

export class RawConsumer {
  private constructor(
    readonly client: RawClient,
    readonly topic: string,
    readonly group: string,
  ) {}

  static async open(world: World, topic: string, group: string): Promise<RawConsumer> {
    const client = world.rawClient(world.name(), { 'x-mq-client-version': '5.0.7' });
    await client.settle(consumerSettings(group, ClientType.PUSH_CONSUMER));
    return new RawConsumer(client, topic, group);
  }

  /** A consumer of lite topics of the topic that its group is bound to. */
  static async openLite(
    world: World,
    topic: string,
    group: string,
    liteTopics: readonly string[],
  ): Promise<RawConsumer> {
    const client = world.rawClient(world.name(), { 'x-mq-client-version': '5.0.7' });
    const { pubSub, ...settings } = consumerSettings(group, ClientType.LITE_PUSH_CONSUMER);
    const value = { group: resource(group), subscriptions: [{ topic: resource(topic), expression: undefined }] };
    await client.settle({ ...settings, pubSub: pubSub && { $case: 'subscription', value } });
    const consumer = new RawConsumer(client, topic, group);
    expect(await consumer.sync(LiteSubscriptionAction.PARTIAL_ADD, liteTopics)).toBe('OK');
    return consumer;
  }

  async sync(action: LiteSubscriptionAction, liteTopics: readonly string[]): Promise<string> {
    const request = { ...this.names, action, liteTopicSet: [...liteTopics] };
    return codeName((await this.client.call('syncLiteSubscription', request)).status?.code ?? 0);
  }

  async receive(request: Partial<RpcRequest<'receiveMessage'>> = {}): Promise<Received[]> {
    const options = { ...receiveRequest(this.topic, this.group, LEASE_MS), longPollingTimeout: toDuration(POLL_MS) };
    return messagesIn(await this.client.receive({ ...options, ...request })).map((message) => {
      const { messageId = '', deliveryAttempt = 0, receiptHandle = '', queueId = -1 } = message.systemProperties ?? {};
      return { id: messageId, attempt: deliveryAttempt, handle: receiptHandle, queueId, message };
    });
  }

  /** Polls with these options until this many messages were received. */
  async receiveUntil(count: number, request: Partial<RpcRequest<'receiveMessage'>> = {}): Promise<Received[]> {
    const all: Received[] = [];
    for (let poll = 0; all.length < count && poll < 20; poll++) all.push(...(await this.receive(request)));
    return all;
  }

  /** An ack as a consumer of ordinary topics sends it. */
  async ackWithout(...received: readonly Received[]): Promise<string> {
    const entries = received.map(({ id, handle }) => ({ messageId: id, receiptHandle: handle }));
    return codeName((await this.client.call('ackMessage', { ...this.names, entries })).status?.code ?? 0);
  }

  async ack(...received: readonly Received[]): Promise<string> {
    const entries = received.map((one) => ({
      messageId: one.id,
      receiptHandle: one.handle,
      liteTopic: liteTopicOf(one),
    }));
    return codeName((await this.client.call('ackMessage', { ...this.names, entries })).status?.code ?? 0);
  }

  /** @returns the code and the new handle */
  async change(one: Received, invisibleMs: number, suspend = false): Promise<{ code: string; handle: string }> {
    const { status, receiptHandle } = await this.client.call('changeInvisibleDuration', {
      ...this.names,
      messageId: one.id,
      receiptHandle: one.handle,
      liteTopic: liteTopicOf(one),
      invisibleDuration: toDuration(invisibleMs),
      suspend,
    });
    return { code: codeName(status?.code ?? 0), handle: receiptHandle };
  }

  async forward(one: Received): Promise<string> {
    const { id, handle, attempt } = one;
    const { status } = await this.client.call('forwardMessageToDeadLetterQueue', {
      ...this.names,
      messageId: id,
      receiptHandle: handle,
      liteTopic: liteTopicOf(one),
      deliveryAttempt: attempt,
      maxDeliveryAttempts: attempt,
    });
    return codeName(status?.code ?? 0);
  }

  async heartbeat(): Promise<void> {
    await this.client.call('heartbeat', { clientType: ClientType.PUSH_CONSUMER, group: resource(this.group) });
  }

  async notifyTermination(): Promise<void> {
    await this.client.call('notifyClientTermination', { group: resource(this.group) });
  }

  private get names() {
    return { topic: resource(this.topic), group: resource(this.group) };
  }
}

function liteTopicOf({ message }: Received): string | undefined {
  return message.systemProperties?.liteTopic;
}
