// Bodies that the producer compresses: what the servers store, and what consumers and checkers receive.

import { createHash, randomBytes } from 'node:crypto';
import { unzipSync } from 'node:zlib';
import { describe, expect } from '@jest/globals';
import { messagesIn } from '../../tools/wire/broker-wire.js';
import { consumerSettings, receiveRequest, resource } from '../../tools/wire/raw-grpc-client.js';
import { FIRST_CHECK_MS, SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';

const contract = contractSuite();
const TEXT = 'a line that comes again and again\n'.repeat(3_000);
const MIB = 1024 * 1024;

describe('a compressed body', () => {
  contract('comes to push and simple consumers as it was given', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer({ compression: {} });
    const recorder = await world.record({ topic });
    const simple = await world.simpleConsumer(topic);
    const noise = randomBytes(8_192).toString('latin1');
    for (const body of [TEXT, 'short', noise]) await producer.send({ topic, body });
    await world.until('all have arrived', () => recorder.deliveries.length === 3);
    expect(recorder.deliveries.map(({ text }) => text).sort()).toEqual([TEXT, 'short', noise].sort());
    const received: string[] = [];
    await world.until('the simple consumer has all', async () => {
      for (const message of await simple.receive({ maxMessages: 3 })) {
        received.push(message.body.toString());
        await simple.ack(message);
      }
      return received.length === 3;
    });
    expect(received.sort()).toEqual([TEXT, 'short', noise].sort());
  });

  contract(
    'is stored compressed, and delivered with its encoding and the digest of the stored bytes',
    async (world) => {
      const topic = await world.topic();
      const producer = await world.producer({ compression: {} });
      await producer.send({ topic, body: TEXT });
      const group = await world.group();
      const reader = world.rawClient();
      await reader.settle(consumerSettings(group));
      const [message] = messagesIn(await reader.receive(receiveRequest(topic, group)));
      const { bodyEncoding, bodyDigest, messageId = '', receiptHandle = '' } = message?.systemProperties ?? {};
      const entries = [{ messageId, receiptHandle }];
      await reader.call('ackMessage', { topic: resource(topic), group: resource(group), entries });
      const body = message?.body ?? Buffer.alloc(0);
      expect(unzipSync(body).toString()).toBe(TEXT);
      const md5 = createHash('md5').update(body).digest('hex').toUpperCase();
      expect([bodyEncoding, bodyDigest]).toEqual([2, { type: 2, checksum: md5 }]);
    },
  );

  contract('may have been more than 4 MiB', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer({ compression: {} });
    const recorder = await world.record({ topic });
    await producer.send({ topic, body: Buffer.alloc(6 * MIB, 'x') });
    await world.until('it arrives', () => recorder.deliveries.length === 1);
    expect(recorder.deliveries[0]?.text.length).toBe(6 * MIB);
  });

  contract('of a half message comes to its checker and its consumer as it was given', async (world) => {
    const topic = await world.topic('transaction');
    const asked: string[] = [];
    const transactionCheckers = {
      [topic]: ({ message }: { message: { body: Buffer } }) => {
        asked.push(message.body.toString());
        return 'commit' as const;
      },
    };
    const connection = world.connection();
    const dying = await world.producer({ compression: {}, transactionCheckers }, connection);
    const recorder = await world.record({ topic });
    await dying.beginTransaction({ topic, body: TEXT });
    connection.close();
    await world.producer({ transactionCheckers });
    await world.backend.advance(FIRST_CHECK_MS + SERVER_SLACK_MS);
    for (let round = 0; round < 4 && recorder.deliveries.length === 0; round++) await world.backend.advance(3_000);
    await world.until('it is delivered', () => recorder.deliveries.length > 0);
    expect([asked[0], recorder.deliveries[0]?.text]).toEqual([TEXT, TEXT]);
  });
});
