import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordingServer } from '../../../../test/fixtures/recording-server.js';
import { until } from '../../../../tools/until.js';
import { SystemClock } from '../support/clock.js';
import { withDeadline } from '../support/deadline.js';
import { silentLogger } from '../support/logger.js';
import { systemRandom } from '../support/random.js';
import { Connection } from './connection.js';
import { type Endpoint, endpointKey, parseEndpoints } from './endpoint.js';
import { Sessions } from './sessions.js';
import { TelemetrySession } from './telemetry-session.js';

describe('the sessions of a client', () => {
  const servers: RecordingServer[] = [];
  let connection: Connection;
  let sessions: Sessions;

  beforeEach(async () => {
    for (let count = 0; count < 2; count++) {
      const server = new RecordingServer();
      await server.start();
      servers.push(server);
    }
    connection = new Connection({ endpoints: servers[0]?.endpoints ?? '' });
    sessions = new Sessions(silentLogger, (endpoint) => newSession(endpoint));
  });

  afterEach(async () => {
    await Promise.all(sessions.list().map(({ session }) => session.close()));
    connection.close();
    for (const server of servers.splice(0)) server.stop();
  });

  function newSession(endpoint: Endpoint): TelemetrySession {
    const calls = connection.newCalls('a');
    return new TelemetrySession({
      endpoint: endpointKey(endpoint),
      clock: new SystemClock(),
      random: systemRandom,
      logger: silentLogger,
      ready: () => undefined,
      open: () => calls.telemetry(endpoint),
      credentialsVersion: () => 0,
      hasOtherCredentials: async () => false,
      settings: () => ({ pubSub: undefined, clientProperties: {} }) as never,
      onSettings: () => false,
      onCommand: () => {},
      onChange: () => {},
    });
  }

  const endpoints = (): Endpoint[] => servers.map((server) => parseEndpoints(server.endpoints));
  const names = (): string[] => sessions.list().map(({ endpoint }) => endpointKey(endpoint));
  const synced = (timeoutMs: number): Promise<void> =>
    withDeadline('sessions', timeoutMs, undefined, (deadline) => sessions.synced(deadline, 500));

  it('are opened at first use, one for each server', async () => {
    const [first, second] = endpoints() as [Endpoint, Endpoint];
    expect(sessions.to(first)).toBe(sessions.to(first));
    sessions.to(second);
    await synced(20_000);
    expect(servers.map((server) => server.of('telemetry').length)).toEqual([1, 1]);
  });

  it('are synced when an available server is', async () => {
    for (const endpoint of endpoints()) sessions.to(endpoint);
    servers[1]?.stop();
    await synced(20_000);
    expect(sessions.list().map(({ session }) => session.isSynced)).toEqual([true, false]);
  });

  it('are not synced while every server is unavailable, and the wait fails at its deadline', async () => {
    for (const endpoint of endpoints()) sessions.to(endpoint);
    for (const server of servers) server.stop();
    await expect(synced(700)).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent' });
  });

  it('end only with a server that is unavailable and no longer needed', async () => {
    const [first, second] = endpoints() as [Endpoint, Endpoint];
    for (const endpoint of [first, second]) sessions.to(endpoint);
    await synced(20_000);
    expect(await sessions.leaveGone([first])).toEqual([]);
    servers[1]?.stop();
    await until(() => sessions.to(second).isAway);
    expect(await sessions.leaveGone([first, second])).toEqual([]);
    expect(await sessions.leaveGone([first])).toEqual([second]);
    expect(names()).toEqual([endpointKey(first)]);
  });

  it('are opened again with a server that is needed again', async () => {
    const [first, second] = endpoints() as [Endpoint, Endpoint];
    sessions.to(first);
    const left = sessions.to(second);
    servers[1]?.stop();
    await until(() => left.isAway);
    await sessions.leaveGone([first]);
    expect(sessions.to(second)).not.toBe(left);
  });
});
