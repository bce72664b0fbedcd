// The requests of consumers, one by one: requirements from the server's sources and from probes (test/contract/README.md) whose effect
// cannot be observed from outside.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, type MessageView, Producer, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';
import type { TelemetryCommand } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/service.js';
import type { RpcName, RpcRequest } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { silentLogger } from '../../libs/rocketmq/src/support/logger.js';
import { until } from '../../tools/until.js';
import { Arrivals } from '../fixtures/arrivals.js';
import { RecordingServer, recordedMessage } from '../fixtures/recording-server.js';
import { transport } from '../fixtures/transport.js';

const READERS = { consumerGroup: 'readers', subscriptions: [{ topic: 'orders' }] };
const SECOND = 1_000;

describe('the requests of a consumer', () => {
  let server: RecordingServer;
  let connection: Connection;
  const ends: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    server = new RecordingServer();
    await server.start();
    connection = new Connection({ endpoints: server.endpoints, transport });
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    connection.close();
    server.stop();
  });

  const asked = <N extends RpcName>(rpc: N): RpcRequest<N>[] =>
    server.of(rpc).map((one) => one.request as RpcRequest<N>);
  const order = (...rpcs: RpcName[]): RpcName[] =>
    server.recorded.map(({ rpc }) => rpc).filter((rpc) => rpcs.includes(rpc));

  async function push(handler: () => Promise<void> | void = () => {}, options = {}): Promise<PushConsumer> {
    const consumer = new PushConsumer(connection, { ...READERS, handler, ...options });
    ends.push(() => consumer.close({ shutdownGraceMs: 0 }));
    await consumer.start();
    return consumer;
  }

  async function simple(): Promise<SimpleConsumer> {
    const consumer = new SimpleConsumer(connection, READERS);
    ends.push(() => consumer.close());
    await consumer.start();
    return consumer;
  }

  it('begin with the settings: no poll is sent before the server has answered them', async () => {
    await push();
    await until(() => asked('receiveMessage').length > 0);
    expect(order('telemetry', 'receiveMessage')).toEqual(['telemetry', 'receiveMessage']);
  });

  it('to receive contain the lease, request no renewal by the server, and have a deadline ten seconds after the poll', async () => {
    await push();
    await until(() => asked('receiveMessage').length > 0);
    const [poll] = server.of('receiveMessage');
    expect(poll?.request).toMatchObject({
      autoRenew: false,
      batchSize: 32,
      longPollingTimeout: { seconds: 20n },
      invisibleDuration: { seconds: expect.anything() },
      attemptId: expect.stringMatching(/.+/),
      messageQueue: { id: -1, broker: { name: 'recorder' } },
    });
    expect(poll?.timeoutMs).toBeGreaterThan(20 * SECOND + 5 * SECOND);
    expect(poll?.timeoutMs).toBeLessThanOrEqual(30 * SECOND);
  });

  it('to receive on demand have a longer deadline than the shortest poll of a server', async () => {
    const consumer = await simple();
    const received = consumer.receive({ longPollingTimeoutMs: 1 });
    await until(() => asked('receiveMessage').length > 0);
    expect(server.of('receiveMessage')[0]?.timeoutMs).toBeGreaterThan(5 * SECOND + 5 * SECOND);
    expect(asked('receiveMessage')[0]).toMatchObject({ autoRenew: false, longPollingTimeout: expect.anything() });
    server.deliver();
    await received;
  });

  it('keep their attempt id after an empty poll, and use a new one after messages', async () => {
    const arrivals = new Arrivals();
    await push(() => arrivals.add('one'));
    server.deliver();
    server.deliver();
    server.deliver(recordedMessage('orders', 'one'));
    await arrivals.of('one');
    await until(() => asked('receiveMessage').length === 4);
    const [first, second, third, fourth] = asked('receiveMessage').map(({ attemptId }) => attemptId);
    expect([second, third]).toEqual([first, first]);
    expect(fourth).not.toBe(first);
  });

  describe('to receive, after a full batch,', () => {
    const full = (): void =>
      server.deliver(...Array.from({ length: 32 }, (_, index) => recordedMessage('orders', `m${index}`)));

    it('are two at a time, the second a short one with its own attempt id', async () => {
      await push();
      full();
      await until(() => asked('receiveMessage').length === 3);
      const [, second, third] = asked('receiveMessage');
      const waits = [second, third].map((poll) => Number(poll?.longPollingTimeout?.seconds));
      expect(waits.sort((one, other) => one - other)).toEqual([5, 20]);
      expect(second?.attemptId).not.toBe(third?.attemptId);
    });

    it('are one at a time for an ordered group', async () => {
      server.adjustSettings = ordered;
      await push();
      full();
      await until(() => asked('ackMessage').length > 0);
      expect(asked('receiveMessage')).toHaveLength(2);
    });
  });

  it('to settle are sent only after the stream with the messages has ended', async () => {
    const handled = new Arrivals();
    await push(() => handled.add('one'));
    const producer = new Producer(connection);
    ends.push(() => producer.close());
    await producer.start();
    server.holdsReceives = true;
    server.deliver(recordedMessage('orders', 'one'));
    // Its answer follows the message on the same connection, so the message has arrived by then.
    await producer.send({ topic: 'orders', body: 'another' });
    expect(asked('ackMessage')).toEqual([]);
    server.endReceives();
    await handled.of('one');
    await until(() => asked('ackMessage').length === 1);
  });

  it('release a message that no listener handles, and do not ack it', async () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (text: string) => void warnings.push(text) };
    connection.close();
    connection = new Connection({ endpoints: server.endpoints, transport, logger });
    const handled: string[] = [];
    const listener = {
      name: 'paid',
      topic: 'orders',
      filter: { kind: 'tag', expression: 'paid' },
      handler: (message: MessageView) => void handled.push(message.messageId),
    } as const;
    const consumer = new PushConsumer(connection, { consumerGroup: 'readers', listeners: [listener] });
    ends.push(() => consumer.close({ shutdownGraceMs: 0 }));
    await consumer.start();
    server.deliver(recordedMessage('orders', 'stray'));
    await until(() => asked('changeInvisibleDuration').length > 0);
    expect(asked('changeInvisibleDuration')).toMatchObject([
      { messageId: 'stray', suspend: true, invisibleDuration: { seconds: expect.anything() } },
    ]);
    const { seconds, nanos } = asked('changeInvisibleDuration')[0]?.invisibleDuration ?? { seconds: 0n, nanos: 0 };
    expect(Math.round(Number(seconds) + nanos / 1e9)).toBe(10);
    expect([handled, asked('ackMessage'), asked('forwardMessageToDeadLetterQueue')]).toEqual([[], [], []]);
    expect(warnings).toEqual([expect.stringMatching(/no listener matches this message; it is released/)]);
  });

  it('never contain a message id twice in one ack', async () => {
    await push();
    server.deliver(...Array.from({ length: 8 }, () => recordedMessage('orders', 'same')));
    await until(() => asked('ackMessage').flatMap(({ entries }) => entries).length === 8);
    for (const { entries } of asked('ackMessage')) expect(entries).toHaveLength(1);
  });

  it('settle each message once: a failed one is retried and not acked, a successful one is acked and not retried', async () => {
    let count = 0;
    await push(() => {
      if (++count % 2 === 0) throw new Error('no');
    });
    const ids = Array.from({ length: 10 }, (_, index) => `message-${index}`);
    server.deliver(...ids.map((id) => recordedMessage('orders', id)));
    const acked = () => asked('ackMessage').flatMap(({ entries }) => entries.map(({ messageId }) => messageId));
    const putOff = () => asked('changeInvisibleDuration').map(({ messageId }) => messageId);
    await until(() => acked().length + putOff().length >= 10);
    expect([...acked(), ...putOff()].sort()).toEqual(ids);
    expect(acked()).toHaveLength(5);
  });

  it('to dead-letter a corrupt message are sent before a handler runs, and do not affect its batch', async () => {
    const arrivals = new Arrivals();
    await push(() => arrivals.add('seen'));
    const corrupt = recordedMessage('orders', 'corrupt');
    if (corrupt.systemProperties !== undefined) corrupt.systemProperties.bodyDigest = { type: 2, checksum: '00' };
    server.deliver(corrupt, recordedMessage('orders', 'sound'), {
      ...recordedMessage('orders', 'x'),
      systemProperties: undefined,
    });
    await arrivals.of('seen');
    await until(() => asked('forwardMessageToDeadLetterQueue').length === 1);
    expect(asked('forwardMessageToDeadLetterQueue')[0]).toMatchObject({ messageId: 'corrupt' });
  });

  it('to terminate contain the group, are sent last, and once', async () => {
    const arrivals = new Arrivals();
    const consumer = await push(() => arrivals.add('one'));
    server.deliver(recordedMessage('orders', 'one'));
    await arrivals.of('one');
    await consumer.close();
    expect(asked('notifyClientTermination')).toMatchObject([{ group: { name: 'readers' } }]);
    const rpcs = order('ackMessage', 'changeInvisibleDuration', 'notifyClientTermination');
    expect(rpcs).toEqual(['ackMessage', 'notifyClientTermination']);
  });

  it('of two roles on one connection have two client ids, each with its own settings', async () => {
    await Promise.all([push(), simple()]);
    const ids = server.of('telemetry').map(({ metadata }) => metadata['x-mq-client-id']);
    expect(new Set(ids).size).toBe(2);
    expect(server.of('telemetry').every(({ timeoutMs }) => timeoutMs === undefined)).toBe(true);
  });

  it('all have a deadline, except the telemetry stream, and identify the client', async () => {
    const consumer = await push();
    server.deliver(recordedMessage('orders', 'one'));
    await until(() => asked('ackMessage').length === 1);
    await consumer.close();
    for (const { rpc, timeoutMs, metadata } of server.recorded) {
      expect([rpc, timeoutMs !== undefined]).toEqual([rpc, rpc !== 'telemetry']);
      expect(metadata).toMatchObject({
        'x-mq-client-id': consumer.clientId,
        'x-mq-language': 'NODE_JS',
        'x-mq-protocol': 'v2',
      });
    }
  });

  it('settle a message on the server that delivered it, and terminate on all servers', async () => {
    const other = new RecordingServer();
    await other.start();
    ends.push(async () => other.stop());
    server.cluster = [server, other];
    let count = 0;
    const consumer = await push(() => {
      if (++count % 2 === 0) throw new Error('no');
    });
    const names = (prefix: string): string[] => Array.from({ length: 6 }, (_, index) => `${prefix}-${index}`);
    server.deliver(...names('here').map((id) => recordedMessage('orders', id)));
    other.deliver(...names('there').map((id) => recordedMessage('orders', id)));
    const settledAt = (one: RecordingServer): string[] =>
      [...one.of('ackMessage'), ...one.of('changeInvisibleDuration')]
        .flatMap(({ request }) => {
          const { entries, messageId } = request as { entries?: { messageId: string }[]; messageId?: string };
          return entries?.map((entry) => entry.messageId) ?? [messageId ?? ''];
        })
        .sort();
    await until(() => settledAt(server).length + settledAt(other).length === 12);
    expect([settledAt(server), settledAt(other)]).toEqual([names('here'), names('there')]);
    await consumer.close();
    expect([server, other].map((one) => one.of('notifyClientTermination').length)).toEqual([1, 1]);
  });
});

/** The settings of an ordered group. */
function ordered(command: TelemetryCommand): TelemetryCommand {
  const { command: content } = command;
  if (content?.$case !== 'settings' || content.value.pubSub?.$case !== 'subscription') return command;
  const { value } = content.value.pubSub;
  const pubSub = { $case: 'subscription', value: { ...value, fifo: true } } as const;
  return { ...command, command: { $case: 'settings', value: { ...content.value, pubSub } } };
}
