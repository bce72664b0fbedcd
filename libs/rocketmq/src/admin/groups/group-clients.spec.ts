import { afterEach, describe, expect, it } from '@jest/globals';
import { ScriptedCluster } from '../../../../../test/fixtures/scripted-cluster.js';
import type { ScriptedReply } from '../../../../../test/fixtures/scripted-remoting-server.js';
import { RocketMQAdmin } from '../rocketmq-admin.js';
import { differencesOf } from './group-clients.js';

const cluster = new ScriptedCluster();
const admins: RocketMQAdmin[] = [];
afterEach(async () => {
  for (const admin of admins.splice(0)) await admin.close();
  await cluster.close();
});

const member = (clientId: string, expression?: string, kind: 'tag' | 'sql' = 'tag') => ({
  clientId,
  subscriptions: expression === undefined ? [] : [{ topic: 't', kind, expression }],
});

describe('differences of subscriptions', () => {
  it('are unknown when fewer than two members reported', () => {
    expect(differencesOf([])).toBeUndefined();
    expect(differencesOf([member('a', '*'), { clientId: 'b', subscriptions: undefined }])).toBeUndefined();
  });

  it.each([
    ['the same tags', member('a', 'x||y'), member('b', ' y || x ||x')],
    ['all', member('a', '*'), member('b', '*')],
    ['the same SQL', member('a', 'n > 1', 'sql'), member('b', ' n > 1 ', 'sql')],
  ])('are empty for %s', (_, left, right) => {
    expect(differencesOf([left, right])).toEqual([]);
  });

  it.each([
    ['other tags', member('a', 'x'), member('b', 'y')],
    ['one more tag', member('a', 'x'), member('b', 'x || y')],
    ['none', member('a', 'x'), member('b')],
    ['SQL', member('a', 'x'), member('b', 'x', 'sql')],
  ])('are reported for %s, with all members', (_, left, right) => {
    const found = differencesOf([left, right, member('c', 'x')]);
    expect(found).toMatchObject([{ topic: 't', members: [{ clientId: 'a' }, { clientId: 'b' }, { clientId: 'c' }] }]);
  });
});

describe('comparing members', () => {
  const connections = (clientIds: readonly string[]): ScriptedReply => {
    const connectionSet = clientIds.map((clientId) => ({ clientId, clientAddr: '10.0.0.1:5', language: 'JAVA' }));
    return { body: JSON.stringify({ connectionSet, subscriptionTable: {} }) };
  };
  const own = (tags: string): ScriptedReply => {
    const subscription = { topic: 't', subString: tags, expressionType: 'TAG' };
    const retry = { topic: '%RETRY%g', subString: '*', expressionType: 'TAG' };
    // Of a consumer of the remoting protocol, with the map that is no JSON.
    return { body: `{"mqTable":{{"queueId":0}:{}},"subscriptionSet":${JSON.stringify([subscription, retry])}}` };
  };
  const adminOf = async (answers: Record<string, ScriptedReply>) => {
    const { nameServer, brokers } = await cluster.start([
      ({ code, fields }) => (code === 203 ? connections(Object.keys(answers)) : answers[fields.clientId ?? '']),
    ]);
    const admin = new RocketMQAdmin({ nameServer: nameServer.address });
    admins.push(admin);
    return { admin, asked: () => brokers[0]?.requests.filter(({ code }) => code === 307) };
  };

  it('names members that differ, ignoring their retry topics', async () => {
    const { admin } = await adminOf({ a: own('x'), b: own('y') });
    const { differences } = await admin.groupClients('g', { compareMembers: true });
    expect(
      differences?.map(({ topic, members }) => [topic, members.map((one) => one.subscription?.expression)]),
    ).toEqual([['t', ['x', 'y']]]);
  });

  it.each([
    ['is rejected', { code: 207, remark: 'timeout' }],
    ['stays without an answer', undefined],
  ])('stops at the first consumer that %s', async (_, silence: ScriptedReply) => {
    const { admin, asked } = await adminOf({ a: own('x'), b: silence, c: own('y') });
    const found = await admin.groupClients('g', { compareMembers: true });
    expect(found.clients.map(({ subscriptions }) => subscriptions?.length)).toEqual([1, undefined, undefined]);
    expect(found.differences).toBeUndefined();
    expect(asked()).toHaveLength(2);
  });

  it('does not ask consumers by default', async () => {
    const { admin, asked } = await adminOf({ a: own('x'), b: own('y') });
    expect((await admin.groupClients('g')).differences).toBeUndefined();
    expect(asked()).toEqual([]);
  });
});

describe('proxies in cluster mode', () => {
  const connected = (clientId: string): ScriptedReply => ({
    body: JSON.stringify({ connectionSet: [{ clientId, clientAddr: '10.0.0.1:5', language: 'NODE_JS' }] }),
  });

  it('report clients of which brokers do not know, and one that is away is named', async () => {
    const { nameServer } = await cluster.start([() => ({ code: 206, remark: 'not online' })]);
    const proxy = await cluster.server(({ code }) => (code === 203 ? connected('grpc') : { code: 3 }));
    const away = await cluster.server(() => ({}));
    await away.close();
    const proxies = `${proxy.address};${away.address}`;
    const admin = new RocketMQAdmin({ nameServer: nameServer.address, proxies });
    admins.push(admin);
    expect(await admin.groupClients('g', { compareMembers: true })).toMatchObject({
      clients: [{ clientId: 'grpc', brokers: [proxy.address], subscriptions: undefined }],
      failures: [{ name: away.address }],
    });
    expect(proxy.requests.map(({ code }) => code)).toEqual([203]);
  });

  it('are rejected when they are no addresses', () => {
    expect(() => new RocketMQAdmin({ nameServer: '127.0.0.1:1', proxies: 'proxy' })).toThrow(
      'proxies "proxy": "proxy" is not "host:port"',
    );
  });
});
