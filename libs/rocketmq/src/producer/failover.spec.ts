import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordingServer } from '../../../../test/fixtures/recording-server.js';
import { Connection } from '../client/connection.js';
import { Code } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { TransportError } from '../support/errors.js';
import { Producer } from './producer.js';

/** Far more than a probe takes. */
const TIMEOUT_MS = 20_000;
const TROUBLE = { sendMessage: Code.INTERNAL_SERVER_ERROR, heartbeat: Code.INTERNAL_SERVER_ERROR };
const WELL = { sendMessage: Code.OK, heartbeat: Code.OK };

describe('a producer with two brokers', () => {
  let servers: [RecordingServer, RecordingServer];
  let connection: Connection;
  let producer: Producer;
  const restarted: RecordingServer[] = [];

  beforeEach(async () => {
    servers = [new RecordingServer(), new RecordingServer()];
    for (const server of servers) {
      await server.start();
      server.cluster = servers;
    }
    connection = new Connection({ endpoints: servers[0].endpoints });
    producer = new Producer(connection);
    await producer.start();
  });

  afterEach(async () => {
    await producer.close();
    connection.close();
    for (const server of [...servers, ...restarted.splice(0)]) server.stop();
  });

  async function send(count: number): Promise<void> {
    for (let index = 0; index < count; index++) await producer.send({ topic: 'orders', body: 'one' });
  }

  const sendsAt = (...some: RecordingServer[]): number[] => some.map((server) => server.of('sendMessage').length);

  async function sendUntilTakenBy(server: RecordingServer): Promise<void> {
    const lastTryAtMs = Date.now() + TIMEOUT_MS;
    while (sendsAt(server)[0] === 0 && Date.now() < lastTryAtMs) {
      await send(2);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(sendsAt(server)[0]).toBeGreaterThan(0);
  }

  it('sends to both', async () => {
    await send(6);
    expect(sendsAt(...servers)).toEqual([3, 3]);
  });

  it('avoids one that failed, and sends to the other', async () => {
    const [first, second] = servers;
    second.statusOf = TROUBLE;
    await send(6);
    expect(sendsAt(first, second)).toEqual([6, 1]);
  });

  it('sends to the other when one is not writable, and refreshes the route', async () => {
    const [first, second] = servers;
    second.statusOf = { ...WELL, sendMessage: Code.FORBIDDEN };
    const asked = first.of('queryRoute').length;
    await send(4);
    expect(sendsAt(first)).toEqual([4]);
    expect(first.of('queryRoute').length).toBeGreaterThan(asked);
  });

  it('fails with the rejection when every broker rejects, and tries each once', async () => {
    for (const server of servers) server.statusOf = { ...WELL, sendMessage: Code.FORBIDDEN };
    await expect(send(1)).rejects.toMatchObject({ code: 'FORBIDDEN', outcome: 'rejected' });
    expect(sendsAt(...servers)).toEqual([1, 1]);
  });

  it('sends a message of a group only to the broker of its group, even if that one rejects', async () => {
    for (const server of servers) server.statusOf = { ...WELL, sendMessage: Code.FORBIDDEN };
    const ordered = producer.send({ topic: 'orders', body: 'one', messageGroup: 'a' });
    await expect(ordered).rejects.toMatchObject({ outcome: 'rejected' });
    expect(sendsAt(...servers).reduce((sum, sends) => sum + sends)).toBeLessThanOrEqual(1);
  });

  it('uses a failed one again when it answers heartbeats', async () => {
    const [, second] = servers;
    second.statusOf = TROUBLE;
    await send(6);
    second.recorded.length = 0;
    second.statusOf = WELL;
    await sendUntilTakenBy(second);
    expect(second.of('heartbeat').length).toBeGreaterThan(0);
  }, 30_000);

  it('uses one that was down again, once it has the settings', async () => {
    const [first, second] = servers;
    await send(2);
    second.stop();
    await send(6);
    expect(sendsAt(first)).toEqual([7]);
    const again = new RecordingServer();
    restarted.push(again);
    await again.start(Number(second.endpoints.split(':')[1]));
    await sendUntilTakenBy(again);
    expect(again.of('telemetry').length).toBeGreaterThan(0);
  }, 30_000);

  it('continues with the other when the one that serves its routes is down', async () => {
    const [first, second] = servers;
    await send(2);
    first.stop();
    await send(6);
    expect(sendsAt(second)).toEqual([7]);
  });

  it('never avoids both', async () => {
    for (const server of servers) server.statusOf = TROUBLE;
    await expect(send(1)).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR', outcome: 'unknown' });
    for (const server of servers) server.statusOf = { ...TROUBLE, sendMessage: Code.OK };
    await send(1);
  });

  it('avoids no broker because of a rejection that the other would answer, too', async () => {
    for (const server of servers) server.statusOf = { ...TROUBLE, sendMessage: Code.BAD_REQUEST };
    await expect(send(1)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(send(1)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(sendsAt(...servers)).toEqual([1, 1]);
  });

  it('avoids no broker because the caller aborted', async () => {
    const [first, second] = servers;
    await send(2);
    const caller = new AbortController();
    const reason = new TransportError('ABORTED', 'the customer left', 'unknown', true);
    const sending = producer.send({ topic: 'orders', body: 'one' }, { signal: caller.signal });
    setImmediate(() => caller.abort(reason));
    await expect(sending).rejects.toBe(reason);
    for (const server of servers) server.recorded.length = 0;
    await send(8);
    // The aborted request may still arrive at one of them.
    for (const count of sendsAt(first, second)) expect(count).toBeGreaterThanOrEqual(4);
  });

  it('tries the other when one is busy, but does not avoid the busy one', async () => {
    const [first, second] = servers;
    second.statusOf = { ...TROUBLE, sendMessage: Code.TOO_MANY_REQUESTS };
    await send(6);
    expect(sendsAt(first, second)).toEqual([6, 3]);
  });
});
