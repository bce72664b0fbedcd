import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { consumerSettings, message, RawClient, resource } from '../../../../test/support/raw-grpc-client.js';
import { toDuration } from '../protocol/duration.js';
import { Code, MessageType } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import { EmbeddedBroker } from './embedded-broker.js';

describe('EmbeddedBroker over the wire', () => {
  let broker: EmbeddedBroker;
  const clients: RawClient[] = [];

  beforeEach(async () => {
    broker = new EmbeddedBroker();
    await broker.start();
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await broker.stop();
  });

  function client(clientId: string): RawClient {
    const made = new RawClient(broker.endpoints, clientId);
    clients.push(made);
    return made;
  }

  async function consumer(group: string): Promise<RawClient> {
    const made = client(`consumer of ${group}`);
    const { reply } = await made.settle(consumerSettings(group));
    expect(reply.status?.code).toBe(Code.OK);
    return made;
  }

  function receive(from: RawClient, topic: string, group: string) {
    return from.receive({
      group: resource(group),
      messageQueue: { topic: resource(topic), id: -1, permission: 4, acceptMessageTypes: [] },
      batchSize: 32,
      invisibleDuration: toDuration(30_000),
      longPollingTimeout: toDuration(20_000),
    });
  }

  it('hands a sent message to a waiting receive and takes its ack', async () => {
    const inbox = await consumer('group-a');
    const waiting = receive(inbox, 'topic-a', 'group-a');
    const sent = await client('producer').call('sendMessage', {
      messages: [message('topic-a', 'id-1', { tag: 'v1' })],
    });
    expect(sent.status?.code).toBe(Code.OK);
    expect(sent.entries.map(({ messageId }) => messageId)).toEqual(['id-1']);
    const [status, delivered, timestamp] = (await waiting).map(({ content }) => content);
    expect(status).toMatchObject({ $case: 'status', value: { code: Code.OK } });
    expect(timestamp?.$case).toBe('deliveryTimestamp');
    if (delivered?.$case !== 'message') throw new Error('no message');
    expect(delivered.value.userProperties).toEqual({ colour: 'grün' });
    expect(delivered.value.systemProperties).toMatchObject({
      messageId: 'id-1',
      tag: 'v1',
      deliveryAttempt: 1,
      messageType: MessageType.NORMAL,
    });
    const receiptHandle = delivered.value.systemProperties?.receiptHandle ?? '';
    const acked = await inbox.call('ackMessage', {
      group: resource('group-a'),
      topic: resource('topic-a'),
      entries: [{ messageId: 'id-1', receiptHandle }],
    });
    expect(acked.status?.code).toBe(Code.OK);
  });
});
