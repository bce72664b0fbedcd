import { afterEach, describe, expect, it } from '@jest/globals';
import { BrokerWire, messagesIn } from '../../../../../tools/wire/broker-wire.js';
import { message, receiveRequest, resource } from '../../../../../tools/wire/raw-grpc-client.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import {
  Code,
  type Message,
  MessageType,
  TransactionResolution,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';

const wire = new BrokerWire();

afterEach(() => wire.close());

describe('codes', () => {
  it.each<[string, Partial<Message>, Partial<NonNullable<Message['systemProperties']>>, Code]>([
    ['an empty body', { body: Buffer.alloc(0) }, {}, Code.MESSAGE_BODY_EMPTY],
    ['a blank id', {}, { messageId: ' ' }, Code.ILLEGAL_MESSAGE_ID],
    ['a tag with a bar', {}, { tag: 'a|b' }, Code.ILLEGAL_MESSAGE_TAG],
    ['a blank key', {}, { keys: [' '] }, Code.ILLEGAL_MESSAGE_KEY],
    ['a message group of 64 bytes', {}, { messageGroup: 'x'.repeat(64) }, Code.ILLEGAL_MESSAGE_GROUP],
    ['a reserved property', { userProperties: { KEYS: 'x' } }, {}, Code.ILLEGAL_MESSAGE_PROPERTY_KEY],
    ['properties over 16 KiB', { userProperties: { a: 'x'.repeat(16_384) } }, {}, Code.MESSAGE_PROPERTIES_TOO_LARGE],
    ['a delay over a day', {}, { deliveryTimestamp: new Date(Date.now() + 90_000_000) }, Code.ILLEGAL_DELIVERY_TIME],
    ['a birth after the year 9999', {}, { bornTimestamp: new Date(253_402_300_800_000) }, Code.BAD_REQUEST],
    [
      'a delivery before the year 1',
      {},
      { deliveryTimestamp: new Date(-62_135_596_800_001) },
      Code.ILLEGAL_DELIVERY_TIME,
    ],
    ['a recovery over an hour', {}, { orphanedTransactionRecoveryDuration: toDuration(3_600_001) }, Code.BAD_REQUEST],
    ['another type than the topic has', {}, { messageGroup: 'x' }, Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE],
    ['a system topic', { topic: resource('TBW102') }, {}, Code.ILLEGAL_TOPIC],
    ['an unknown topic', { topic: resource('unknown') }, {}, Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE],
  ])('reject a message with %s', async (_what, fields, system, code) => {
    const broker = await wire.broker({ strict: true, topics: [{ name: 't' }] });
    const wrong = { ...message('t', 'id', system), ...fields };
    expect((await wire.client(broker).call('sendMessage', { messages: [wrong] })).status?.code).toBe(code);
  });

  it('accept a delay up to the configured limit', async () => {
    const maxDelayMs = 172_800_000;
    const broker = await wire.broker({ maxDelayMs, strict: true, topics: [{ name: 't', type: 'delay' }] });
    const client = wire.client(broker);
    const answers: unknown[] = [];
    for (const aheadMs of [maxDelayMs - 60_000, maxDelayMs + 60_000]) {
      const delayed = message('t', 'id', { deliveryTimestamp: new Date(Date.now() + aheadMs) });
      answers.push((await client.call('sendMessage', { messages: [delayed] })).status?.code);
    }
    expect(answers).toEqual([Code.OK, Code.ILLEGAL_DELIVERY_TIME]);
  });

  it('reject unknown topics, groups, messages and transactions', async () => {
    const broker = await wire.broker({
      strict: true,
      topics: [{ name: 't', type: 'transaction' }],
      groups: [{ name: 'g' }],
    });
    const client = wire.client(broker);
    const codes = async () => [
      (await client.call('queryRoute', { topic: resource('unknown') })).status?.code,
      (await client.call('queryRoute', { topic: resource('a b') })).status?.code,
      (await client.call('queryAssignment', { topic: resource('t'), group: resource('') })).status?.code,
      (await client.call('sendMessage', { messages: [] })).status?.code,
      (await client.call('sendMessage', { messages: [message('t', 'a'), message('u', 'b')] })).status?.code,
      (await client.call('ackMessage', { topic: resource('t'), group: resource('g'), entries: [] })).status?.code,
      (await client.call('endTransaction', { topic: resource('t'), transactionId: '' })).status?.code,
      (await client.call('endTransaction', { topic: resource('t'), transactionId: 'x' })).status?.code,
      (await client.call('recallMessage', { topic: resource('t'), recallHandle: 'x' })).status?.code,
    ];
    expect(await codes()).toEqual([
      Code.TOPIC_NOT_FOUND,
      Code.ILLEGAL_TOPIC,
      Code.ILLEGAL_CONSUMER_GROUP,
      Code.MESSAGE_CORRUPTED,
      Code.MESSAGE_CORRUPTED,
      Code.BAD_REQUEST,
      Code.INVALID_TRANSACTION_ID,
      Code.INTERNAL_SERVER_ERROR,
      Code.FORBIDDEN,
    ]);
  });

  it('are in the order of the entries for very many acks, which do not block other requests', async () => {
    const broker = await wire.broker({ topics: [{ name: 't' }], groups: [{ name: 'g' }] });
    const client = wire.client(broker);
    await client.call('queryRoute', { topic: resource('t') });
    const answered: string[] = [];
    const entries = Array.from({ length: 20_000 }, (_, index) => ({ messageId: `${index}`, receiptHandle: 'x' }));
    const acking = client.call('ackMessage', { topic: resource('t'), group: resource('g'), entries }).finally(() => {
      answered.push('acks');
    });
    while (answered.length === 0 && broker.inside.activity.labels().length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await wire.client(broker, 'other').call('queryRoute', { topic: resource('t') });
    answered.push('route');
    const answer = await acking;
    expect(answered).toEqual(['route', 'acks']);
    expect(answer.status?.code).toBe(Code.INVALID_RECEIPT_HANDLE);
    expect(answer.entries.map(({ messageId }) => messageId)).toEqual(entries.map(({ messageId }) => messageId));
  });

  it('accept the end of a transaction without a source, as the Go client sends it', async () => {
    const broker = await wire.broker();
    const client = wire.client(broker);
    const half = message('t', 'half', { messageType: MessageType.TRANSACTION });
    const { entries } = await client.call('sendMessage', { messages: [half] });
    const end = {
      topic: resource('t'),
      transactionId: entries[0]?.transactionId ?? '',
      resolution: TransactionResolution.COMMIT,
    };
    expect((await client.call('endTransaction', end)).status?.code).toBe(Code.OK);
    const inbox = await wire.consumer(broker, 'g');
    const [received] = messagesIn(await inbox.receive(receiveRequest('t', 'g')));
    expect(received?.systemProperties).toMatchObject({ messageId: 'half', messageType: MessageType.TRANSACTION });
  });
});
