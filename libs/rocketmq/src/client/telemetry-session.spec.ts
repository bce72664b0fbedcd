import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../tools/until.js';
import { ClientType, type Settings } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { SystemClock } from '../support/clock.js';
import { Deadline } from '../support/deadline.js';
import { silentLogger } from '../support/logger.js';
import { systemRandom } from '../support/random.js';
import { TestBroker } from '../testing/test-broker.js';
import { Client } from './client.js';
import { Connection } from './connection.js';
import { TelemetrySession } from './telemetry-session.js';

describe('a telemetry session', () => {
  let broker: TestBroker;
  let connection: Connection;
  let client: Client;
  let session: TelemetrySession;
  /** The first topic of each settings that the server answered. */
  let answered: (string | undefined)[];
  /** Whether each answer brings something new to announce. */
  let areNews: boolean;
  let topic: string;
  let losses: number;
  const deadlines: Deadline[] = [];

  beforeEach(async () => {
    answered = [];
    areNews = false;
    losses = 0;
    topic = 'first';
    broker = await TestBroker.start({ topics: [{ name: 'first' }, { name: 'second' }] });
    connection = new Connection({ endpoints: broker.endpoints });
    client = new Client(connection, {
      type: ClientType.PRODUCER,
      settings: () => {
        const topics = [{ resourceNamespace: '', name: topic }];
        return { pubSub: { $case: 'publishing', value: { topics, maxBodySize: 0, validateMessageType: true } } };
      },
      onSettings: ({ pubSub }: Settings) => {
        answered.push(pubSub?.$case === 'publishing' ? pubSub.value.topics[0]?.name : undefined);
        return areNews;
      },
      onCommand: () => false,
      events: { onLost: () => losses++ },
    });
  });

  afterEach(async () => {
    for (const deadline of deadlines.splice(0)) deadline.dispose();
    await client.close();
    connection.close();
    await broker.stop();
  });

  function within(timeoutMs = 20_000): AbortSignal {
    const deadline = new Deadline('settings', timeoutMs);
    deadlines.push(deadline);
    return deadline.signal;
  }

  function open(): TelemetrySession {
    session = client.session(connection.bootstrap);
    return session;
  }

  it('sends the settings, and again when the stream was lost', async () => {
    await open().synced(within());
    broker.faults.cutStreams(client.id);
    await until(() => !session.isSynced);
    await session.synced(within());
    expect(answered).toEqual(['first', 'first']);
  });

  it('sends them once more when an answer brings something to announce, and is in sync when that is answered', async () => {
    areNews = true;
    await open().synced(within());
    expect(answered).toEqual(['first', 'first']);
    topic = 'second';
    await session.sync(within());
    expect(answered).toEqual(['first', 'first', 'second', 'second']);
  });

  it('sends them once more only once for each sync to a server that answers twice', async () => {
    const answers = new PassThrough({ objectMode: true });
    let written = 0;
    const twice = new TelemetrySession({
      endpoint: 'twice',
      clock: new SystemClock(),
      random: systemRandom,
      logger: silentLogger,
      ready: () => undefined,
      open: () => ({
        commands: answers,
        write: (command) => {
          written++;
          // More than the client would stop at, and few enough to end when it does not.
          if (written < 50) for (let answer = 0; answer < 2; answer++) answers.write(command);
          return true;
        },
        end: () => void answers.end(),
        cancel: () => void answers.destroy(),
      }),
      credentialsVersion: () => 0,
      hasOtherCredentials: async () => false,
      settings: () => ({ clientProperties: {} }),
      onSettings: () => true,
      onCommand: () => {},
      onChange: () => {},
    });
    twice.start();
    try {
      await twice.synced(within());
      await until(() => answers.readableLength === 0);
      expect(written).toBe(2);
      await twice.sync(within());
      await until(() => answers.readableLength === 0);
      expect(written).toBe(4);
    } finally {
      await twice.close();
    }
  });

  it('sends settings that change while it connects, and waits until those are answered', async () => {
    // The first settings are written, not answered.
    open();
    topic = 'second';
    await session.sync(within());
    expect(answered.at(-1)).toBe('second');
  });

  it('replaces a stream whose later settings are never answered, and sends them on the next', async () => {
    await open().synced(within());
    broker.faults.add({ rpc: 'telemetry', action: { kind: 'dropResponse' } });
    topic = 'second';
    await session.sync(within());
    expect(answered).toEqual(['first', 'second']);
    await session.sync(within());
    expect(answered).toEqual(['first', 'second', 'second']);
  });

  it('gives a server more time to answer after one timeout, so reaches a slow one, and keeps it when settings change', async () => {
    broker.faults.add({ rpc: 'telemetry', action: { kind: 'delay', delayMs: 3_500 }, times: 1_000 });
    await open().synced(within());
    expect(answered).toEqual(['first']);
    topic = 'second';
    await session.sync(within());
    expect([answered, losses]).toEqual([['first', 'second'], 0]);
  });

  it("fails with the server's rejection of the settings, and keeps retrying", async () => {
    const action = { kind: 'answer', code: 'UNAUTHORIZED', message: 'User:x is not found.' } as const;
    broker.faults.add({ rpc: 'telemetry', action });
    await expect(open().synced(within())).rejects.toMatchObject({ code: 'UNAUTHORIZED', outcome: 'rejected' });
    await until(() => session.isSynced);
  });

  it('throws the connection failure when the deadline passes', async () => {
    await broker.stop();
    await expect(open().synced(within(100))).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent' });
  });

  it('rejects its waiters when it closes, also while it reconnects', async () => {
    await open().synced(within());
    await broker.stop();
    await until(() => !session.isSynced);
    const waiting = expect(session.synced(within())).rejects.toMatchObject({ code: 'CLOSED' });
    expect(client.close()).toBe(client.close());
    await client.close();
    await waiting;
    await expect(session.synced(within())).rejects.toMatchObject({ code: 'CLOSED' });
    expect(() => client.session(connection.bootstrap)).toThrow('[CLOSED]');
  });

  it('can be closed before the server has answered', async () => {
    broker.faults.add({ rpc: 'telemetry', action: { kind: 'dropResponse' } });
    const waiting = expect(open().synced(within())).rejects.toMatchObject({ code: 'CLOSED' });
    await client.close();
    await waiting;
  });
});
