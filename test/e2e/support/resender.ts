// Sends earlier messages again, like a producer that lost the answer.

import { Connection, Producer } from 'nestjs-rocketmq/client';
import type { TestMessage } from 'nestjs-rocketmq/testing';
import { TOPICS } from '../../../libs/demo-kit/src/topics.js';

export class Resender {
  private readonly connection: Connection;
  private readonly producer: Producer;

  constructor(endpoints: string, clock: ConstructorParameters<typeof Connection>[0]['clock']) {
    this.connection = new Connection({ endpoints, clock });
    const transactional = TOPICS.filter(({ type }) => type === 'transaction');
    const checkers = transactional.map(({ name }) => [name, () => 'commit' as const]);
    this.producer = new Producer(this.connection, { transactionCheckers: Object.fromEntries(checkers) });
  }

  start(): Promise<void> {
    return this.producer.start();
  }

  /** Sends each message twice more: with its own id and with a new one. */
  async resend(messages: readonly TestMessage[]): Promise<void> {
    for (const { topic, messageId, body, tag, keys, messageType } of messages) {
      for (const id of [messageId, undefined]) {
        const message = { topic, body, tag, keys, messageId: id };
        if (messageType === 'transaction') await this.producer.transact({ message }, async () => {});
        else await this.producer.send({ ...message, delayMs: 0 });
      }
    }
  }

  async close(): Promise<void> {
    await this.producer.close();
    await this.connection.close();
  }
}
