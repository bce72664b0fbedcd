import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type ScriptedReply,
  type ScriptedServer,
  startScriptedServer,
} from '../../../../test/fixtures/scripted-remoting-server.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import { ClusterAccess } from './cluster-access.js';
import { RemotingClient } from './remoting-client.js';

const ROUTE = {
  body: '{"brokerDatas":[{"brokerName":"a","cluster":"c","brokerAddrs":{"0":"127.0.0.1:1"}}],"queueDatas":[]}',
};
const MISSING = { code: RESPONSE_CODES.topicNotExist, remark: 'no route' };

describe('several name servers', () => {
  const closers: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** Each with its answer to every request; undefined for one that is silent. */
  async function clusterOf(...replies: ScriptedReply[]) {
    const servers: ScriptedServer[] = [];
    for (const reply of replies) servers.push(await startScriptedServer(() => reply));
    const nameServers = servers.map(({ address }) => address);
    const client = new RemotingClient({ connectTimeoutMs: 1_000 });
    closers.push(...servers.map((server) => () => server.close()), () => client.close());
    const routeBy = (unanimous: boolean) => {
      const cluster = new ClusterAccess(client, { nameServers, cluster: undefined, timeoutMs: 2_000, unanimous });
      return (topic: string) => cluster.run('route', undefined, (deadline) => cluster.route(topic, deadline));
    };
    const routeOf = routeBy(true);
    const asked = () =>
      servers.map(({ requests }) => requests.filter(({ code }) => code === REQUEST_CODES.getRouteInfoByTopic).length);
    return { routeOf, readily: routeBy(false), asked };
  }

  it('share the time, so that one that is silent leaves some to the next', async () => {
    const { routeOf } = await clusterOf(undefined, ROUTE);
    await expect(routeOf('t')).resolves.toMatchObject({ brokers: [{ name: 'a' }] });
  });

  it('are asked from the one on that answered last', async () => {
    const { routeOf, asked } = await clusterOf(undefined, ROUTE);
    await routeOf('t');
    await routeOf('t');
    expect(asked()).toEqual([1, 2]);
  });

  it('know a topic when one of them knows it', async () => {
    const { routeOf } = await clusterOf(MISSING, ROUTE);
    await expect(routeOf('t')).resolves.toMatchObject({ brokers: [{ name: 'a' }] });
  });

  it('do not know a topic when none of them knows it', async () => {
    const { routeOf } = await clusterOf(MISSING, MISSING);
    await expect(routeOf('t')).resolves.toBeUndefined();
  });

  it('do not deny a topic to a program while one of them cannot be asked', async () => {
    const { routeOf } = await clusterOf(MISSING, undefined);
    await expect(routeOf('t')).rejects.toMatchObject({ retryable: true });
  });

  it('say what those know that can be asked to a person who asks', async () => {
    const { readily } = await clusterOf(undefined, MISSING);
    await expect(readily('t')).resolves.toBeUndefined();
  });

  it('are asked in turn when one answers that it is not ready', async () => {
    const { routeOf } = await clusterOf({ code: RESPONSE_CODES.systemError, remark: 'not ready' }, ROUTE);
    await expect(routeOf('t')).resolves.toMatchObject({ brokers: [{ name: 'a' }] });
  });

  it('cannot be reached when all are silent, and nothing was sent to a broker', async () => {
    const { routeOf } = await clusterOf(undefined, undefined);
    await expect(routeOf('t')).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', retryable: true });
  });
});
