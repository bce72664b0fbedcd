// A trail of brokers that are slow, reject requests, or have much. test/contract proves on both servers what a trail has.

import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerScript, ScriptedCluster } from '../../../../../test/fixtures/scripted-cluster.js';
import { encodeAnswer, type ScriptedReply } from '../../../../../test/fixtures/scripted-remoting-server.js';
import { encodeStoredMessage, type StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import { RocketMQAdmin } from '../rocketmq-admin.js';

const QUERY = { topic: 't', messageId: 'm' };
const cluster = new ScriptedCluster();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await cluster.close();
});

function copy(topic: string, offset = 0, properties: Record<string, string> = {}): StoredMessageFields {
  const place = { topic, queueId: 0, queueOffset: offset, commitLogOffset: 0, preparedTransactionOffset: 0 };
  const times = { bornTimestampMs: 1, bornHost: '127.0.0.1:1', storeTimestampMs: offset, storeHost: '127.0.0.1:2' };
  const marks = { sysFlag: 0, flag: 0, bodyCrc: 0, reconsumeTimes: 0, body: Buffer.from('x') };
  return { ...place, ...times, ...marks, properties: new Map(Object.entries({ UNIQ_KEY: 'm', ...properties })) };
}

interface Answers {
  readonly groups: readonly string[];
  readonly stored?: Readonly<Record<string, readonly StoredMessageFields[]>>;
  readonly hasDelays?: boolean;
}

function answer({ groups, stored = {}, hasDelays = true }: Answers, ...[request]: Parameters<BrokerScript>) {
  const { code, fields } = request;
  if (code === 300) return { body: JSON.stringify({ groupList: groups }) };
  if (code === 208) return { body: '{"offsetTable":{}}' };
  const delays = '{"brokerName":"b","queueId":0,"topic":"rmq_sys_wheel_timer"}:{"minOffset":0,"maxOffset":0}';
  if (code === 202) return hasDelays ? { body: `{"offsetTable":{${delays}}}` } : { code: 17 };
  const found = stored[fields.topic ?? ''] ?? [];
  return found.length === 0 ? { code: 22 } : { body: Buffer.concat(found.map(encodeStoredMessage)) };
}

/** A broker that answers after a time. */
function slow(afterMs: number, script: (request: Parameters<BrokerScript>[0]) => ScriptedReply): BrokerScript {
  return (request, socket) => {
    const reply = script(request);
    const timer = setTimeout(() => {
      if (reply !== undefined && !socket?.destroyed) socket?.write(encodeAnswer(request.opaque, reply));
    }, afterMs);
    closers.push(() => clearTimeout(timer));
    return undefined;
  };
}

async function adminOf(...scripts: BrokerScript[]): Promise<RocketMQAdmin> {
  const { nameServer } = await cluster.start(scripts);
  const admin = new RocketMQAdmin({ nameServer: nameServer.address });
  closers.push(() => admin.close());
  return admin;
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `g${1_000 + index}`);
const isStored = { t: [copy('t')] };

describe('the trail of a message', () => {
  it('has many groups of a broker that is far away', async () => {
    const admin = await adminOf(slow(20, (request) => answer({ groups: names(100), stored: isStored }, request)));
    const { groups, gaps } = await admin.messageTrail(QUERY);
    expect([groups.length, gaps.length]).toEqual([100, 0]);
  });

  it('has what can be read in time, and names the groups that were not read', async () => {
    const admin = await adminOf(slow(100, (request) => answer({ groups: names(200), stored: isStored }, request)));
    const { stored, groups, gaps } = await admin.messageTrail(QUERY, { timeoutMs: 1_000 });
    expect(stored).toHaveLength(1);
    expect(groups.length).toBeGreaterThan(0);
    const unread = gaps.map(({ consumerGroup }) => consumerGroup);
    expect([...groups.map(({ consumerGroup }) => consumerGroup), ...unread].sort()).toEqual(names(200));
    expect(gaps[0]?.error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const [first = ''] = unread;
    const rest = await admin.messageTrail({ ...QUERY, consumerGroups: [first, first] });
    expect(rest).toMatchObject({ groups: [{ consumerGroup: first, isOfTopic: true }], gaps: [] });
    const mistyped = await admin.messageTrail({ ...QUERY, consumerGroups: ['typo'] });
    expect(mistyped.groups).toMatchObject([{ consumerGroup: 'typo', isOfTopic: false }]);
  });

  it('has what the other brokers have when one is silent', async () => {
    const admin = await adminOf(
      (request) => answer({ groups: ['g'], stored: isStored }, request),
      () => undefined,
    );
    const { stored, groups, gaps, failures } = await admin.messageTrail(QUERY, { timeoutMs: 1_000 });
    expect([stored.length, groups.length, gaps.length]).toEqual([1, 1, 0]);
    expect(failures).toMatchObject([{ name: 'broker-1', error: { code: 'DEADLINE_EXCEEDED' } }]);
  });

  it('has the other groups when a broker rejects one', async () => {
    const admin = await adminOf((request) => {
      const isRejected = request.code === 208 && request.fields.consumerGroup === 'secret';
      return isRejected
        ? { code: 16, remark: 'no' }
        : answer({ groups: ['open', 'secret'], stored: isStored }, request);
    });
    const { groups, gaps } = await admin.messageTrail(QUERY);
    expect(groups.map(({ consumerGroup }) => consumerGroup)).toEqual(['open']);
    expect(gaps).toMatchObject([{ name: 'broker-0', consumerGroup: 'secret', error: { responseCode: 16 } }]);
  });

  it('names a broker that does not say which groups there are', async () => {
    const admin = await adminOf(
      (request) => answer({ groups: ['g'], stored: isStored }, request),
      (request) => (request.code === 300 ? { code: 16, remark: 'no' } : answer({ groups: ['h'] }, request)),
    );
    const { groups, failures } = await admin.messageTrail(QUERY);
    expect(groups).toMatchObject([{ consumerGroup: 'g' }]);
    expect(failures).toMatchObject([{ name: 'broker-1', error: { responseCode: 16 } }]);
    const named = await admin.messageTrail({ ...QUERY, consumerGroups: ['h'] });
    expect(named).toMatchObject({ groups: [{ consumerGroup: 'h', isOfTopic: true }], failures: [] });
  });

  it('rejects the name of a group that cannot exist', async () => {
    const admin = await adminOf((request) => answer({ groups: ['g'] }, request));
    const trail = admin.messageTrail({ ...QUERY, consumerGroups: ['g', 'no such'] });
    await expect(trail).rejects.toThrow('consumer group');
  });

  it('says that delays of an old broker were not read', async () => {
    const admin = await adminOf((request) => answer({ groups: [], stored: isStored, hasDelays: false }, request));
    const { gaps } = await admin.messageTrail(QUERY);
    expect(gaps).toMatchObject([{ consumerGroup: undefined, error: { code: 'DELAYED_UNREADABLE' } }]);
  });

  it('says that there may be more where a broker returned all that it returns', async () => {
    const many = (topic: string) => Array.from({ length: 32 }, (_, offset) => copy(topic, offset));
    const ofGroup = await adminOf((request) =>
      answer({ groups: ['g', 'h'], stored: { ...isStored, '%RETRY%g_t': many('%RETRY%g_t') } }, request),
    );
    const { mayBeMore, groups } = await ofGroup.messageTrail(QUERY);
    expect([mayBeMore, ...groups.map((one) => one.mayBeMore)]).toEqual([false, true, false]);
    const ofTopic = await adminOf((request) => answer({ groups: ['g'], stored: { t: many('t') } }, request));
    expect(await ofTopic.messageTrail(QUERY)).toMatchObject({ mayBeMore: true, groups: [{ mayBeMore: false }] });
  });

  it('has no redeliveries of a group whose name and topic look alike', async () => {
    const own = copy('%RETRY%a_b_t', 0, { ORIGIN_GROUP: 'a_b' });
    const other = copy('%RETRY%a_b_t', 1, { ORIGIN_GROUP: 'a' });
    const old = copy('%RETRY%a_b_t', 2);
    const stored = { ...isStored, '%RETRY%a_b_t': [own, other, old] };
    const admin = await adminOf((request) => answer({ groups: ['a_b'], stored }, request));
    const { groups } = await admin.messageTrail(QUERY);
    expect(groups[0]?.retries.map(({ queueOffset }) => queueOffset)).toEqual([0, 2]);
  });

  it('ends with the reason of an abort', async () => {
    const admin = await adminOf(slow(50, (request) => answer({ groups: names(1_000), stored: isStored }, request)));
    const caller = new AbortController();
    const trail = admin.messageTrail(QUERY, { signal: caller.signal });
    const timer = setTimeout(() => caller.abort(new Error('enough')), 500);
    closers.push(() => clearTimeout(timer));
    await expect(trail).rejects.toThrow('enough');
  });
});
