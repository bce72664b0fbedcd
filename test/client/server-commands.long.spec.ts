// The commands of a server on the telemetry stream.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { until } from '../../tools/until.js';
import { RecordingServer, recordedMessage } from '../fixtures/recording-server.js';
import { forwardTo } from '../fixtures/tcp-forwarder.js';
import { transport } from '../fixtures/transport.js';

describe('a command of the server', () => {
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

  async function producer(): Promise<Producer> {
    const started = new Producer(connection, { topics: { orders: 'normal' } });
    ends.push(() => started.close());
    await started.start();
    return started;
  }

  /** Waits for this many answers on telemetry, settings excluded. */
  async function answers(count: number): Promise<unknown[]> {
    const others = () =>
      server
        .of('telemetry')
        .map(({ request }) => request)
        .filter((request) => !isSettings(request));
    await until(() => others().length >= count);
    return others();
  }

  it('that is unknown is ignored, and the stream continues', async () => {
    await producer();
    // Commands of a newer server decode to nothing here.
    server.say({ status: undefined, command: undefined });
    server.say({ status: undefined, command: { $case: 'printThreadStackTraceCommand', value: { nonce: '7' } } });
    await answers(1);
    expect(server.of('telemetry').filter(({ request }) => isSettings(request))).toHaveLength(1);
  });

  it('to report what the client is doing is answered, bounded', async () => {
    const handlers: (() => void)[] = [];
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'orders' }],
      concurrency: 100,
      handler: () => new Promise<void>((resolve) => handlers.push(resolve)),
    });
    ends.push(() => consumer.close());
    await consumer.start();
    server.deliver(...Array.from({ length: 60 }, (_, index) => recordedMessage('orders', `m${index}`)));
    await until(() => handlers.length === 60);
    server.say({ status: undefined, command: { $case: 'printThreadStackTraceCommand', value: { nonce: '7' } } });
    const [answer] = (await answers(1)) as [{ command: { value: { threadStackTrace: string } } }];
    for (const end of handlers) end();
    expect(answer).toMatchObject({ status: { code: 20000 }, command: { value: { nonce: '7' } } });
    const { threadStackTrace } = answer.command.value;
    expect(threadStackTrace).toMatch(
      /^client: .*\nsession with .*: ready\nconsumer group: readers\nheld messages: 60\n/,
    );
    expect(threadStackTrace.match(/^ {2}.*: message .* from "orders", attempt \d+, for \d+ ms$/gm)).toHaveLength(50);
    expect(threadStackTrace).toContain('\n  and 10 more\n');
    expect(threadStackTrace.length).toBeLessThanOrEqual(16_384);
  });

  it('to reconnect is obeyed: over a new connection, with the settings sent again, and not too often', async () => {
    const way = await forwardTo(Number(server.endpoints.split(':')[1]));
    ends.push(() => way.close());
    const through = new Connection({ endpoints: `127.0.0.1:${way.port}`, transport, useBootstrapEndpoints: true });
    ends.push(async () => through.close());
    const lost: string[] = [];
    const sender = new Producer(through, {
      topics: { orders: 'normal' },
      events: { onLost: (_client, endpoint) => void lost.push(endpoint) },
    });
    ends.push(() => sender.close());
    await sender.start();
    const settings = (): number => server.of('telemetry').filter(({ request }) => isSettings(request)).length;
    const [connectionsBefore, settingsBefore] = [way.connections(), settings()];
    for (let times = 0; times < 5; times++) {
      server.say({ status: undefined, command: { $case: 'reconnectEndpointsCommand', value: { nonce: `${times}` } } });
    }
    await until(() => settings() > settingsBefore);
    await sender.send({ topic: 'orders', body: 'x' });
    server.say({ status: undefined, command: { $case: 'reconnectEndpointsCommand', value: { nonce: 'again' } } });
    await sender.send({ topic: 'orders', body: 'y' });
    expect([way.connections() - connectionsBefore, settings() - settingsBefore]).toEqual([1, 1]);
    expect(lost).toEqual([]);
  });

  it('that this client does not support is declined, not left unanswered', async () => {
    await producer();
    server.say({
      status: undefined,
      command: { $case: 'verifyMessageCommand', value: { nonce: '8', message: undefined } },
    });
    expect(await answers(1)).toMatchObject([
      { status: { code: 50100 }, command: { $case: 'verifyMessageResult', value: { nonce: '8' } } },
    ]);
  });

  it('to consume a message directly that is still running after a failed start has no effect', async () => {
    server.assignmentStatus = 50_001;
    let release = (): void => {};
    let isRunning = false;
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'orders' }],
      handler: () => {
        isRunning = true;
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      },
    });
    const starting = expect(consumer.start({ timeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'INTERNAL_SERVER_ERROR',
    });
    await until(() => server.of('queryAssignment').length > 0);
    const value = { nonce: '9', message: recordedMessage('orders', 'a') };
    server.say({ status: undefined, command: { $case: 'verifyMessageCommand', value } });
    await until(() => isRunning);
    await starting;
    release();
    // Jest fails a case with an unhandled rejection.
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('to consume a message directly that arrives while the consumer closes has no effect', async () => {
    let release = (): void => {};
    const started = new Promise<void>((isRunning) => {
      const consumer = new PushConsumer(connection, {
        consumerGroup: 'readers',
        subscriptions: [{ topic: 'orders' }],
        handler: () => {
          isRunning();
          return new Promise<void>((resolve) => {
            release = resolve;
          });
        },
      });
      ends.push(() => consumer.close({ shutdownGraceMs: 0 }));
      void consumer.start().then(() => {
        const message = {
          topic: { resourceNamespace: '', name: 'orders' },
          userProperties: {},
          body: Buffer.from('a'),
        };
        const value = { nonce: '9', message: { ...message, systemProperties: undefined } };
        server.say({ status: undefined, command: { $case: 'verifyMessageCommand', value } });
      });
    });
    await started;
    const closed = ends.splice(0).map((end) => end());
    release();
    await Promise.all(closed);
    // Jest fails a case with an unhandled rejection.
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.of('notifyClientTermination')).toHaveLength(1);
  });
});

function isSettings(request: unknown): boolean {
  return (request as { command?: { $case: string } }).command?.$case === 'settings';
}
