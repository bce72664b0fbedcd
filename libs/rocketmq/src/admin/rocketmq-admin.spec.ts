// The decisions of the admin client, on scripted servers. A real server proves that the requests are right:
// test/contract/admin.spec.ts.

import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type ScriptedReply,
  type ScriptedRequest,
  type ScriptedServer,
  startScriptedServer,
} from '../../../../test/fixtures/scripted-remoting-server.js';
import { UsageError } from '../support/errors.js';
import { RocketMQAdmin, type RocketMQAdminOptions } from './rocketmq-admin.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const startServer = async (reply: (request: ScriptedRequest) => ScriptedReply): Promise<ScriptedServer> => {
  const server = await startScriptedServer(reply);
  cleanups.push(() => server.close());
  return server;
};

const newAdmin = (options: RocketMQAdminOptions): RocketMQAdmin => {
  const admin = new RocketMQAdmin(options);
  cleanups.push(() => admin.close());
  return admin;
};

/** A broker that stores nothing: topics are missing, groups as given, changes are accepted. */
const startBroker = (groups: Record<string, unknown> = {}, rejection?: ScriptedReply): Promise<ScriptedServer> =>
  startServer(({ code }) => {
    if (code === 351) return { code: 17, remark: 'No topic in this broker' };
    if (code === 201) return { body: JSON.stringify({ subscriptionGroupTable: groups }) };
    return rejection ?? {};
  });

/** A name server with one master for each broker, by default all in one cluster. */
const startNameServer = (brokers: readonly ScriptedServer[], clusters: readonly string[] = []) => {
  const entries = brokers.map(({ address }, index) => {
    const [name, cluster] = [`broker-${index}`, clusters[index] ?? 'main'];
    return { name, json: `{"brokerAddrs":{0:"${address}"},"brokerName":"${name}","cluster":"${cluster}"}` };
  });
  const table = entries.map(({ name, json }) => `"${name}":${json}`).join(',');
  const datas = entries.map(({ json }) => json).join(',');
  const queues = entries.map(({ name }) => ({ brokerName: name, writeQueueNums: 8 }));
  return startServer(({ code }) =>
    code === 106
      ? { body: `{"brokerAddrTable":{${table}},"clusterAddrTable":{}}` }
      : { body: `{"brokerDatas":[${datas}],"queueDatas":${JSON.stringify(queues)}}` },
  );
};

const changes = (server: ScriptedServer): ScriptedRequest[] =>
  server.requests.filter(({ code }) => code === 17 || code === 200);

describe('RocketMQAdmin', () => {
  it('creates a topic on every master broker', async () => {
    const brokers = [await startBroker(), await startBroker()];
    const { address } = await startNameServer(brokers);

    await newAdmin({ nameServer: address }).createTopic({ topic: 'orders', type: 'delay', queues: 4 });

    for (const broker of brokers) {
      expect(changes(broker).map(({ fields }) => fields)).toEqual([
        expect.objectContaining({ topic: 'orders', writeQueueNums: '4', attributes: '+message.type=DELAY' }),
      ]);
    }
  });

  it('names the brokers on which a change was made when a later one rejects it', async () => {
    const brokers = [await startBroker(), await startBroker({}, { code: 16, remark: 'not you' })];
    const { address } = await startNameServer(brokers);

    const change = newAdmin({ nameServer: address }).createTopic({ topic: 'orders', type: 'normal' });

    await expect(change).rejects.toMatchObject({
      code: 'PARTLY_DONE',
      outcome: 'unknown',
      doneOn: ['broker-0'],
      cause: expect.objectContaining({ code: 'NO_PERMISSION', address: brokers[1]?.address, outcome: 'rejected' }),
    });
  });

  it('alters only the given settings of a group', async () => {
    const kept = { groupName: 'g', retryMaxTimes: 3, consumeMessageOrderly: true, retryQueueNums: 2 };
    const broker = await startBroker({ g: { ...kept, attributes: { a: 'b' } } });
    const { address } = await startNameServer([broker]);

    await newAdmin({ nameServer: address }).createGroup(
      { consumerGroup: 'g', maxDeliveryAttempts: 6 },
      { ifExists: 'update' },
    );

    expect(changes(broker).map(({ body }) => JSON.parse(body))).toEqual([{ ...kept, retryMaxTimes: 5 }]);
  });

  it('counts the last message of a queue for a group that would not start at the first', async () => {
    const offsets = [0, 7].map((maxOffset, queueId) => {
      return `{"brokerName":"broker-0","queueId":${queueId},"topic":"orders"}:{"minOffset":0,"maxOffset":${maxOffset}}`;
    });
    const broker = await startServer(({ code }) => {
      if (code === 201) return { body: '{"subscriptionGroupTable":{"g":{"groupName":"g"}}}' };
      if (code === 202) return { body: `{"offsetTable":{${offsets.join(',')}}}` };
      // Its first message is no longer in memory.
      return code === 14 ? { code: 22, remark: 'Not found' } : { body: '{"offsetTable":{}}' };
    });
    const { address } = await startNameServer([broker]);

    const { lag, topics } = await newAdmin({ nameServer: address }).groupLag('g', { topic: 'orders' });

    expect({ lag, queues: topics[0]?.queues }).toMatchObject({
      lag: 1,
      queues: [
        { brokerOffset: 0, consumerOffset: 0, lag: 0, hasStarted: false },
        { brokerOffset: 7, consumerOffset: 6, lag: 1, hasStarted: false },
      ],
    });
  });

  it('does not choose between clusters, and works on the given one', async () => {
    const brokers = [await startBroker(), await startBroker()];
    const { address } = await startNameServer(brokers, ['east', 'west']);

    await expect(newAdmin({ nameServer: address }).createGroup({ consumerGroup: 'g' })).rejects.toThrow('east, west');
    await newAdmin({ nameServer: address, cluster: 'west' }).createGroup({ consumerGroup: 'g' });

    expect(brokers.map((broker) => changes(broker).length)).toEqual([0, 1]);
  });

  it('reports that nothing was changed when no broker is registered', async () => {
    const { address } = await startNameServer([]);

    await expect(newAdmin({ nameServer: address }).createGroup({ consumerGroup: 'g' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'not-sent',
      retryable: true,
    });
  });

  it('rejects invalid arguments before anything is sent', async () => {
    const { address, requests } = await startNameServer([]);
    const admin = newAdmin({ nameServer: address });

    await expect(admin.createTopic({ topic: 'a b', type: 'normal' })).rejects.toThrow(UsageError);
    await expect(admin.createTopic({ topic: 'a', type: 'normal', queues: 0 })).rejects.toThrow('queues is 0');
    await expect(admin.createGroup({ consumerGroup: 'g', maxDeliveryAttempts: 0 })).rejects.toThrow(UsageError);
    const backoff = { kind: 'exponential', initialMs: 1, maxMs: 2, multiplier: 1.5 } as const;
    await expect(admin.createGroup({ consumerGroup: 'g', backoff })).rejects.toThrow('[1, 2, 1.5]');
    await expect(admin.describeGroup(' ')).rejects.toThrow('is blank');
    const ifExists = 'overwrite' as 'update';
    const rejection = {
      code: 'ILLEGAL_OPTION',
      message: expect.stringContaining('ifExists must be reject or keep or update'),
    };
    await expect(admin.createTopic({ topic: 'orders', type: 'normal' }, { ifExists })).rejects.toMatchObject(rejection);
    await expect(admin.createGroup({ consumerGroup: 'billing' }, { ifExists })).rejects.toMatchObject(rejection);
    const rewind = { consumerGroup: 'billing', topic: 'orders' };
    const lookup = { topic: 'orders' };
    const wrongKind = { ...rewind, to: { kind: 'oldest' } } as never;
    const noTime = { ...rewind, to: { kind: 'time' } } as never;
    for (const call of [admin.rewindGroup.bind(admin), admin.planRewind.bind(admin)]) {
      await expect(call(wrongKind)).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', field: 'to' });
      await expect(call(rewind as never)).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', field: 'to' });
      await expect(call(noTime)).rejects.toMatchObject({ code: 'ILLEGAL_TIME', field: 'to' });
      await expect(call(undefined as never)).rejects.toMatchObject({ code: 'ILLEGAL_NAME' });
    }
    await expect(admin.findMessages(lookup as never)).rejects.toMatchObject({ code: 'ILLEGAL_QUERY', field: 'key' });
    await expect(admin.findMessages(undefined as never)).rejects.toMatchObject({ code: 'ILLEGAL_NAME' });
    await expect(admin.messageTrail(lookup as never)).rejects.toMatchObject({ code: 'ILLEGAL_QUERY' });
    expect(requests).toEqual([]);
  });

  it.each(['', 'host', 'host:', 'a:1,b:2', 'http://host:9876/'])('rejects "%s" as name server', (nameServer) => {
    expect(() => new RocketMQAdmin({ nameServer })).toThrow('host:port');
  });

  it.each<[string, unknown, string]>([
    ['nameServer', 9876, 'must be a string, not 9876'],
    ['nameServer', undefined, 'is missing'],
    ['timeoutMs', '5', 'must be a number above 0, not the string "5"'],
    ['proxy', 'a:8080', 'is unknown; the options are'],
  ])('rejects an invalid option by name: %s: %p', (field, value, problem) => {
    const rejection = (): RocketMQAdmin => new RocketMQAdmin({ nameServer: 'a:1', [field]: value });
    expect(rejection).toThrow(`[ILLEGAL_OPTION] option ${field} ${problem}`);
  });
});
