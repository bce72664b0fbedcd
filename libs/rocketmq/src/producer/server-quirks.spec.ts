// How the producer protects users from quirks of real servers. Quirks that can be triggered on a server are in the contract
// suite.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordingServer } from '../../../../test/fixtures/recording-server.js';
import { Connection } from '../client/connection.js';
import { MessageType } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type {
  EndTransactionRequest,
  SendMessageRequest,
} from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { SECOND_MS } from '../support/clock.js';
import { TestBroker } from '../testing/test-broker.js';
import { Producer } from './producer.js';

describe('a producer', () => {
  let servers: [RecordingServer, RecordingServer];
  let connection: Connection;
  let producer: Producer;

  beforeEach(async () => {
    servers = [new RecordingServer(), new RecordingServer()];
    for (const server of servers) {
      await server.start();
      server.cluster = servers;
      server.types = [MessageType.NORMAL, MessageType.FIFO, MessageType.DELAY, MessageType.TRANSACTION];
    }
    connection = new Connection({ endpoints: servers[0].endpoints });
    producer = new Producer(connection, { transactionCheckers: { payments: () => 'unknown' } });
  });

  afterEach(async () => {
    await producer.close();
    connection.close();
    for (const server of servers) server.stop();
  });

  const sent = (server: RecordingServer): SendMessageRequest[] =>
    server.of('sendMessage').map(({ request }) => request as SendMessageRequest);

  // Several in one request: brokers up to 5.3.3 mix them up, delayed ones break the timer wheel, ordered ones lose their order.
  it('sends each message of a batch in its own request when the broker versions are unknown', async () => {
    await producer.sendBatch([
      ...[1, 2, 3].map((delayMs) => ({ topic: 'orders', body: 'x', delayMs })),
      ...['a', 'b'].map((body) => ({ topic: 'orders', body, messageGroup: 'g' })),
      { topic: 'orders', body: 'x' },
    ]);
    const sizes = servers.flatMap((server) => sent(server).map(({ messages }) => messages.length));
    expect(sizes).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it('keeps the messages of a group on one broker, whichever that is', async () => {
    await producer.sendBatch([1, 2, 3, 4].map((body) => ({ topic: 'orders', body: `${body}`, messageGroup: 'g' })));
    expect(servers.map((server) => sent(server).length).sort()).toEqual([0, 4]);
  });

  // Only the proxy that received the half message knows the transaction.
  it('ends a transaction at the proxy that received its half message', async () => {
    for (let count = 0; count < 4; count++) {
      await producer.transact({ message: { topic: 'payments', body: `${count}` } }, async () => {});
    }
    for (const server of servers) {
      const halves = sent(server).flatMap(({ messages }) => messages.map((one) => one.systemProperties?.messageId));
      const ends = server.of('endTransaction').map(({ request }) => (request as EndTransactionRequest).transactionId);
      expect(halves.length).toBe(2);
      expect(ends).toEqual(halves);
    }
  });

  it('treats an answer without a status as an unknown outcome', async () => {
    for (const server of servers) server.saysNothing = true;
    const sending = producer.send({ topic: 'orders', body: 'x' });
    await expect(sending).rejects.toMatchObject({ outcome: 'unknown' });
    await expect(sending).rejects.toThrow('without a status');
  });

  // The server sends checks to every producer that lists a topic, including those that could not answer.
  it('lists only the topics for which it has a checker', async () => {
    await producer.send({ topic: 'orders', body: 'x' });
    await producer.start();
    const listed = servers[0].of('telemetry').map(({ request }) => {
      const { command } = request as { command?: { $case: string; value: unknown } };
      const { pubSub } = (command?.value ?? {}) as { pubSub?: { value: { topics: { name: string }[] } } };
      return pubSub?.value.topics.map(({ name }) => name);
    });
    expect(new Set(listed.map(String))).toEqual(new Set(['payments']));
  });
});

describe('the OK for an end', () => {
  // The proxy forwards an end and does not wait for the broker.
  it('is not treated as proof: a later check is answered as the transaction ended', async () => {
    const topics = [{ name: 'payments', type: 'transaction' as const }];
    const broker = await TestBroker.start({ strict: true, manualClock: true, topics });
    const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    const asked: string[] = [];
    const checker = ({ messageId }: { messageId: string }): 'rollback' => {
      asked.push(messageId);
      return 'rollback';
    };
    const producer = new Producer(connection, { transactionCheckers: { payments: checker } });
    try {
      await producer.start();
      broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'OK' } });
      await producer.transact({ message: { topic: 'payments', body: 'x' } }, async () => {});
      expect(broker.messages('payments')).toEqual([]);
      await broker.advance(40 * SECOND_MS);
      expect([broker.messages('payments').length, asked]).toEqual([1, []]);
    } finally {
      await producer.close();
      connection.close();
      await broker.stop();
    }
  });
});
