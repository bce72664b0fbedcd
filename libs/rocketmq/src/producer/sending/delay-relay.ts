// Sends on what waits for the rest of its delay. gateway/delay-chain.ts lets it wait.
// It gets each message when the broker's delay ends, and sends it as due at its time: to its topic, or back for the next level.

import type { Connection } from '../../client/connection.js';
import type { CloseOptions, StartOptions } from '../../client/lifecycle-options.js';
import { delayTopicNotFound, ResourceError } from '../../client/resource-errors.js';
import {
  DELAYED_TOPIC_PROPERTY,
  DELAYED_UNTIL_PROPERTY,
  type DelayRelayNames,
} from '../../protocol/model/delay-chain.js';
import type { MessageView, OutgoingMessage } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';

type PushConsumer = import('../../consumer/push-consumer.js').PushConsumer;
type ConsumerHealth = import('../../consumer/consumer-health.js').ConsumerHealth;

/** The relay of one producer. All of a cluster share the work. */
export class DelayRelay {
  private consumer: PushConsumer | undefined;

  /** @param send resolves when the message is stored */
  constructor(
    private readonly connection: Connection,
    private readonly names: DelayRelayNames,
    private readonly send: (message: OutgoingMessage, signal: AbortSignal) => Promise<unknown>,
  ) {}

  /** Undefined before it starts. */
  get health(): ConsumerHealth | undefined {
    return this.consumer?.health;
  }

  /** @throws like the start of a push consumer: a ResourceError while its topic is missing */
  async start(options: StartOptions): Promise<void> {
    const { topic, consumerGroup } = this.names;
    const { PushConsumer } = await import('../../consumer/push-consumer.js');
    this.consumer = new PushConsumer(this.connection, {
      consumerGroup,
      subscriptions: [{ topic }],
      handler: async (message, { signal }) => {
        await this.send(onwards(message), signal);
      },
      // No later attempt would end otherwise.
      deadLetterOn: [UsageError],
    });
    await this.consumer.start(options).catch((error: unknown) => {
      const isMissing = error instanceof ResourceError && error.code === 'TOPIC_NOT_FOUND';
      throw isMissing
        ? ResourceError.together([delayTopicNotFound(this.connection.command, topic, error), error])
        : error;
    });
    this.connection.logger.info('sends on messages with a delay of several levels', { topic, consumerGroup });
  }

  async close(options: CloseOptions): Promise<void> {
    await this.consumer?.close(options);
  }
}

/** The message as its sender sent it. @throws UsageError for one that no producer of this library sent here */
function onwards({ messageId, body, tag, keys, properties }: MessageView): OutgoingMessage {
  const { [DELAYED_TOPIC_PROPERTY]: topic, [DELAYED_UNTIL_PROPERTY]: until, ...own } = properties;
  const dueAtMs = Number(until);
  if (topic === undefined || !Number.isSafeInteger(dueAtMs)) {
    const text = `message ${messageId} is not one that waits for its delay: it has no ${DELAYED_TOPIC_PROPERTY} or ${DELAYED_UNTIL_PROPERTY}`;
    throw new UsageError('ILLEGAL_DELIVERY_TIME', text);
  }
  return { topic, messageId, body, tag, keys, properties: own, deliverAt: new Date(dueAtMs) };
}
