// The results when some servers of a cluster answer and others do not. The contract proves that the requests are right.

import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerScript, ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import { startScriptedServer } from '../../../../test/fixtures/scripted-remoting-server.js';
import { RemotingError } from '../remoting/remoting-error.js';
import { RocketMQAdmin } from './rocketmq-admin.js';

const cluster = new ScriptedCluster();
const admins: RocketMQAdmin[] = [];
afterEach(async () => {
  for (const admin of admins.splice(0)) await admin.close();
  await cluster.close();
});

async function adminOf(...brokers: BrokerScript[]) {
  const started = await cluster.start(brokers);
  const admin = new RocketMQAdmin({ nameServer: started.nameServer.address, timeoutMs: 2_000 });
  admins.push(admin);
  return { ...started, admin };
}

const TOPICS = JSON.stringify({ topicConfigTable: { orders: { writeQueueNums: 4 } } });
const healthy: BrokerScript = ({ code }) => ({ body: code === 21 ? TOPICS : '{"topicList":[]}' });
const busy: BrokerScript = () => ({ code: 2, remark: 'too busy' });

describe('reading', () => {
  it('returns the results of brokers that answered, and names those that did not', async () => {
    const { admin } = await adminOf(healthy, busy);
    const { topics, failures } = await admin.listTopics();
    expect(topics).toMatchObject([{ topic: 'orders', brokers: [{ name: 'broker-0' }] }]);
    expect(failures).toMatchObject([{ name: 'broker-1', error: { code: 'SYSTEM_BUSY', retryable: true } }]);
  });

  it('fails when no broker answers', async () => {
    const { admin } = await adminOf(busy, busy);
    await expect(admin.listGroups()).rejects.toMatchObject({ code: 'SYSTEM_BUSY' });
    await expect(admin.groupLag('g')).rejects.toMatchObject({ code: 'SYSTEM_BUSY' });
    await expect(admin.brokerVersions()).rejects.toMatchObject({ code: 'SYSTEM_BUSY' });
  });

  it('fails when one broker does not answer and the result has no room for failures', async () => {
    const { admin } = await adminOf(healthy, busy);
    const reads = [
      admin.describeTopic('orders'),
      admin.describeGroup('g'),
      admin.planRewind({ consumerGroup: 'g', topic: 'orders', to: { kind: 'end' } }),
    ];
    for (const read of await Promise.allSettled(reads)) expect(read).toMatchObject({ reason: { code: 'SYSTEM_BUSY' } });
  });

  it('returns in time when a broker is silent, with the results of the others', async () => {
    const { admin } = await adminOf(healthy, () => undefined);
    const { topics, failures } = await admin.listTopics({ timeoutMs: 2_000 });
    expect(topics).toHaveLength(1);
    expect(failures).toMatchObject([{ name: 'broker-1', error: { code: 'DEADLINE_EXCEEDED' } }]);
  });

  it('says which clients cannot report when there is no report', async () => {
    const { admin } = await adminOf(({ code }) => {
      return code === 203 ? { body: '{"connectionSet":[{"clientId":"c"}]}' } : undefined;
    });
    const asked = admin.describeClient('g', 'c', { timeoutMs: 2_000 });
    await expect(asked).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      message: expect.stringMatching(/connected by gRPC cannot report/),
    });
  });

  it("rejects with the reason of the caller's abort signal", async () => {
    const { admin } = await adminOf(() => undefined);
    const controller = new AbortController();
    const asked = admin.findMessages({ topic: 't', key: 'k' }, { signal: controller.signal });
    controller.abort(new Error('no longer wanted'));
    await expect(asked).rejects.toThrow('no longer wanted');
  });

  it('rejects an answer in another format', async () => {
    const { admin } = await adminOf(() => ({ body: '<html>' }));
    await expect(admin.listGroups()).rejects.toMatchObject({ code: 'RPC_FAILED', retryable: false });
    await expect(admin.findMessages({ topic: 't', messageId: 'm' })).rejects.toThrow('not a stored message');
  });

  it('says of each gap in a trail that nothing took effect, whatever the broker answered', async () => {
    const { admin } = await adminOf(({ code }) => {
      if (code === 12) return { code: 22 };
      return { body: code === 300 ? '{"groupList":["billing"]}' : '<html>' };
    });
    const { gaps } = await admin.messageTrail({ topic: 'orders', messageId: 'm' });
    const failed = { error: { code: 'RPC_FAILED', outcome: 'not-sent' } };
    expect(gaps).toMatchObject([failed, { ...failed, consumerGroup: 'billing' }]);
  });

  it.each<[string, (admin: RocketMQAdmin) => Promise<unknown>, string, unknown]>([
    [
      'clients',
      (admin) => admin.groupClients('g'),
      '{"connectionSet":[null,7],"subscriptionTable":{"t":null}}',
      { clients: [], subscriptions: [] },
    ],
    ['a set of clients', (admin) => admin.describeClient('g', 'c'), '{"connectionSet":7}', undefined],
    [
      'topics',
      (admin) => admin.listTopics(),
      '{"topicConfigTable":{"a":null,"b":{"attributes":{"message.type":7}}}}',
      { topics: [{ topic: 'b' }] },
    ],
    [
      'groups',
      (admin) => admin.listGroups(),
      '{"subscriptionGroupTable":{"a":null,"b":{"attributes":7}}}',
      { groups: [{ consumerGroup: 'b' }] },
    ],
    [
      'offsets',
      (admin) => admin.topicOffsets('t'),
      '{"offsetTable":{{"queueId":0}:null,{}:{}}}',
      { queues: [{ minOffset: 0 }, {}] },
    ],
    ['positions', (admin) => admin.groupLag('g'), '{"offsetTable":{{"queueId":0}:null}}', { lag: 0 }],
  ])('takes %s of another kind than expected for missing', async (_, read, body, expected) => {
    const { admin } = await adminOf(() => ({ body }));
    const found = await read(admin);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected as object);
  });

  it('does not report that batches are kept when a broker does not report its version', async () => {
    const table = JSON.stringify({ table: { brokerVersionDesc: 'V5_5_0' } });
    const { admin } = await adminOf(() => ({ body: table }), busy);
    await expect(admin.brokerVersions()).resolves.toMatchObject({
      brokers: [{ name: 'broker-0', keepsBatches: true, version: { major: 5, minor: 5, patch: 0 } }],
      keepBatches: false,
    });
  });
});

describe('an error', () => {
  const topic = { topic: 'orders', type: 'normal' } as const;
  const soon = { timeoutMs: 100 };

  it('of a read that was not answered says that nothing took effect', async () => {
    const { admin } = await adminOf(() => undefined);
    const reads: Promise<unknown>[] = [
      admin.listTopics(soon),
      admin.describeGroup('g', soon),
      admin.groupLag('g', soon),
      admin.groupClients('g', soon),
      admin.findMessages({ topic: 't', key: 'k' }, soon),
      admin.browseMessages('t', soon),
      admin.listFailures('t', soon),
      admin.planRewind({ consumerGroup: 'g', topic: 't', to: { kind: 'end' } }, soon),
      admin.planReplay('g', soon),
    ];
    const unaffected = { outcome: 'not-sent', message: expect.not.stringContaining('may have') };
    for (const read of await Promise.allSettled(reads)) expect(read).toMatchObject({ reason: unaffected });
  });

  it('of a broker that did not answer among others says that nothing took effect', async () => {
    const { admin } = await adminOf(healthy, () => undefined);
    const { failures } = await admin.listTopics({ timeoutMs: 2_000 });
    const unaffected = { outcome: 'not-sent', message: expect.not.stringContaining('may have') };
    expect(failures).toMatchObject([{ name: 'broker-1', error: unaffected }]);
  });

  it('of a read whose connection broke, or that was rejected with an unknown code, says that nothing took effect', async () => {
    const { admin } = await adminOf((_, socket) => void socket?.destroy());
    const broken = { code: 'UNAVAILABLE', outcome: 'not-sent', message: expect.not.stringContaining('may have') };
    await expect(admin.listGroups()).rejects.toMatchObject(broken);
    const { admin: other } = await adminOf(() => ({ code: 4711 }));
    const rejected = { code: 'RESPONSE_4711', responseCode: 4711, outcome: 'not-sent' };
    await expect(other.listGroups()).rejects.toMatchObject(rejected);
    await expect(other.listGroups()).rejects.toBeInstanceOf(RemotingError);
  });

  it('of a change that was not begun says that nothing took effect', async () => {
    const { admin } = await adminOf(() => undefined);
    await expect(admin.createTopic(topic, soon)).rejects.toMatchObject({ outcome: 'not-sent' });
  });

  it('of a change that was not answered, or rejected with an unknown code, leaves open whether it took effect', async () => {
    const { admin } = await adminOf(({ code }) => (code === 17 ? undefined : { code: code === 351 ? 17 : 0 }));
    const unknown = { outcome: 'unknown', message: expect.stringContaining('it may have taken effect') };
    // With the whole timeout of `adminOf`: two questions come before the change, and must not use it up.
    await expect(admin.createTopic(topic)).rejects.toMatchObject(unknown);
    const { admin: other } = await adminOf(({ code }) => ({ code: code === 351 ? 17 : 4711 }));
    await expect(other.createTopic(topic)).rejects.toMatchObject(unknown);
  });

  it('of a name server that is silent says so in the same way', async () => {
    const server = await startScriptedServer(() => undefined);
    const admin = new RocketMQAdmin({ nameServer: server.address, timeoutMs: 100 });
    admins.push(admin);
    try {
      await expect(admin.listTopics()).rejects.toMatchObject({ outcome: 'not-sent' });
      await expect(admin.deleteTopic('orders')).rejects.toMatchObject({ outcome: 'not-sent' });
    } finally {
      await server.close();
    }
  });
});

describe('creating', () => {
  // Two brokers; the first has the topic and the group, with fewer write queues than read queues: its queues are being reduced.
  const having: BrokerScript = ({ code }) => {
    if (code === 351) return { body: '{"readQueueNums":16,"writeQueueNums":8,"perm":4}' };
    return { body: '{"subscriptionGroupTable":{"billing":{"groupName":"billing","retryMaxTimes":4}}}' };
  };
  const lacking: BrokerScript = ({ code }) => (code === 351 ? { code: 17 } : { body: '{}' });
  const written = ({ requests }: { readonly requests: readonly { readonly code: number }[] }): number[] =>
    requests.map(({ code }) => code).filter((code) => code === 17 || code === 200);

  it("leaves brokers that have it unchanged with ifExists: 'keep'", async () => {
    const { admin, brokers } = await adminOf(having, lacking);
    await admin.createTopic({ topic: 'orders', type: 'normal', queues: 8 }, { ifExists: 'keep' });
    await admin.createGroup({ consumerGroup: 'billing', fifo: true }, { ifExists: 'keep' });
    expect(brokers.map(written)).toEqual([[], [17, 200]]);
  });

  it('rejects by default what exists with other settings, and changes no broker', async () => {
    const { admin, brokers } = await adminOf(lacking, having);
    await expect(admin.createTopic({ topic: 'orders', type: 'fifo' })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      outcome: 'not-sent',
      what: 'topic "orders"',
      differences: ['its type is normal on broker-1, not fifo'],
    });
    await expect(admin.createGroup({ consumerGroup: 'billing', fifo: true })).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      what: 'group "billing"',
      differences: ['it is not ordered on broker-1'],
      message: expect.stringContaining("nothing was changed; pass ifExists: 'update'"),
    });
    expect(brokers.map(written)).toEqual([[], []]);
  });

  it('keeps the type of each broker when none is given, and requires one for a broker that lacks the topic', async () => {
    const { admin, brokers } = await adminOf(having, having);
    await admin.createTopic({ topic: 'orders', queues: 8 });
    await admin.createTopic({ topic: 'orders', queues: 9 }, { ifExists: 'update' });
    const sent = brokers.flatMap(({ requests }) => requests.filter(({ code }) => code === 17));
    expect(sent.map(({ fields }) => [fields.writeQueueNums, fields.attributes])).toEqual([
      ['9', ''],
      ['9', ''],
    ]);
    const partial = await adminOf(having, lacking);
    for (const ifExists of ['reject', 'keep', 'update'] as const) {
      await expect(partial.admin.createTopic({ topic: 'orders' }, { ifExists })).rejects.toMatchObject({
        name: 'UsageError',
        code: 'ILLEGAL_TOPIC_TYPE',
        outcome: 'not-sent',
        message: expect.stringContaining('"orders" does not exist on broker-1; it is normal on broker-0; nothing was'),
      });
    }
    expect(partial.brokers.map(written)).toEqual([[], []]);
  });

  it('completes what exists with the given settings on the brokers that lack it, like the others', async () => {
    const { admin, brokers } = await adminOf(lacking, having);
    await admin.createTopic({ topic: 'orders', type: 'normal' });
    await admin.createGroup({ consumerGroup: 'billing' });
    expect(brokers.map(written)).toEqual([[17, 200], []]);
    const [topic, group] = brokers[0]?.requests.filter(({ code }) => code === 17 || code === 200) ?? [];
    expect(topic?.fields).toMatchObject({ writeQueueNums: '8' });
    expect(JSON.parse(group?.body ?? '')).toMatchObject({ groupName: 'billing', retryMaxTimes: 4 });
  });

  it('are paused on every broker, so that none that lacks the group creates it for a consumer', async () => {
    const { admin, brokers } = await adminOf(lacking, having);
    await admin.pauseGroup('billing', { reason: 'why', by: 'me' });
    expect(brokers.map(written)).toEqual([[200], [200]]);
    for (const { requests } of brokers) {
      const body = requests.find(({ code }) => code === 200)?.body ?? '';
      expect(JSON.parse(body)).toMatchObject({ groupName: 'billing', retryMaxTimes: 4, consumeEnable: false });
    }
    const resumed = await adminOf(lacking, having);
    await resumed.admin.resumeGroup('billing');
    expect(resumed.brokers.map(written)).toEqual([[], []]);
  });

  it('are named when a pause fails after the first', async () => {
    const failing: BrokerScript = (request) => (request.code === 200 ? { code: 1, remark: 'full' } : having(request));
    const { admin } = await adminOf(having, failing);
    await expect(admin.pauseGroup('billing', { reason: 'why', by: 'me' })).rejects.toMatchObject({
      name: 'PartlyDoneError',
      doneOn: ['broker-0'],
    });
    await expect(admin.pauseGroup('billing', { reason: ' ', by: 'me' })).rejects.toMatchObject({ field: 'reason' });
    await expect(admin.pauseGroup('billing', { reason: 'why' } as never)).rejects.toMatchObject({ field: 'by' });
  });

  it("updates them with ifExists: 'update'", async () => {
    const { admin, brokers } = await adminOf(having, lacking);
    await admin.createTopic({ topic: 'orders', type: 'normal' }, { ifExists: 'update' });
    await admin.createGroup({ consumerGroup: 'billing', fifo: true }, { ifExists: 'update' });
    expect(brokers.map(written)).toEqual([
      [17, 200],
      [17, 200],
    ]);
  });
});

describe('a group with different settings on its brokers', () => {
  it('is reported with the settings of each', async () => {
    const holding = (retryMaxTimes: number, consumeMessageOrderly: boolean): BrokerScript => {
      const config = { groupName: 'billing', retryMaxTimes, consumeMessageOrderly };
      return () => ({ body: JSON.stringify({ subscriptionGroupTable: { billing: config } }) });
    };
    const { admin } = await adminOf(holding(4, false), holding(16, true));
    const expected = {
      consumerGroup: 'billing',
      fifo: false,
      maxDeliveryAttempts: 5,
      brokers: [
        { name: 'broker-0', fifo: false, maxDeliveryAttempts: 5 },
        { name: 'broker-1', fifo: true, maxDeliveryAttempts: 17 },
      ],
    };
    expect(await admin.describeGroup('billing')).toMatchObject(expected);
    expect((await admin.listGroups()).groups).toMatchObject([expected]);
    expect(await admin.describeGroup('other')).toBeUndefined();
  });
});

describe('deleting', () => {
  it('deletes on the brokers first, and then on every name server', async () => {
    const order: string[] = [];
    const { nameServer, brokers } = await adminOf(({ code }) => {
      order.push(`broker ${code}`);
      return code === 351 ? { code: 17 } : {};
    });
    const second = await cluster.start([]);
    const nameServers = `${nameServer.address};${second.nameServer.address}`;
    const admin = new RocketMQAdmin({ nameServer: nameServers });
    admins.push(admin);
    await expect(admin.deleteTopic('orders')).resolves.toEqual({ topic: 'orders', deletedOn: [] });
    expect(order).toEqual(['broker 28', 'broker 351', 'broker 215']);
    expect(brokers).toHaveLength(1);
    const received = [nameServer, second.nameServer].map(({ requests }) => requests.filter(({ code }) => code === 216));
    expect(received.map((requests) => requests.map(({ fields }) => fields.topic))).toEqual([['orders'], ['orders']]);
  });

  it('names the brokers on which it is done when a later one fails, and asks no name server', async () => {
    const gone: BrokerScript = ({ code }) => (code === 351 ? { code: 17 } : {});
    const { admin, nameServer } = await adminOf(gone, (request) =>
      request.code === 215 ? busy(request) : gone(request),
    );
    await expect(admin.deleteTopic('orders')).rejects.toMatchObject({
      code: 'PARTLY_DONE',
      doneOn: ['broker-0'],
      retryable: true,
      cause: { code: 'SYSTEM_BUSY' },
    });
    expect(nameServer.requests.map(({ code }) => code)).not.toContain(216);
  });
});

describe('wrong arguments', () => {
  it('are rejected before anything is sent', async () => {
    const { admin, nameServer } = await adminOf(healthy);
    const offset = { kind: 'offset', broker: 'broker-0', queueId: -1, offset: 0 } as const;
    const rejected = [
      admin.deleteTopic('a b'),
      admin.deleteGroup(''),
      admin.groupLag('a b'),
      admin.groupLag('g', { topic: 'a b' }),
      admin.groupClients(' '),
      admin.rewindGroup({ consumerGroup: 'g', topic: 't', to: offset }),
      admin.rewindGroup({ consumerGroup: 'g', topic: 't', to: { kind: 'time', time: new Date(Number.NaN) } }),
      admin.findMessages({ topic: 't', key: ' ' }),
      admin.findMessages({ topic: 't', key: 'k', limit: 65 }),
      admin.listDeadLetters('g', { limit: 0 }),
      admin.listDeadLetters('g', { after: 'nonsense' }),
      admin.replayDeadLetters('g', { limit: 101 }),
    ];
    for (const call of rejected) await expect(call).rejects.toMatchObject({ name: 'UsageError', outcome: 'not-sent' });
    expect(nameServer.requests).toEqual([]);
  });
});
