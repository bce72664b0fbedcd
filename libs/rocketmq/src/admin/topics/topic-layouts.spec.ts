// Order configurations on scripted name servers, which do not replicate them.

import { afterEach, describe, expect, it } from '@jest/globals';
import { call, words } from '../../../../../test/fixtures/command-line.js';
import { type ScriptedServer, startScriptedServer } from '../../../../../test/fixtures/scripted-remoting-server.js';
import { RocketMQAdmin } from '../rocketmq-admin.js';

const TOPIC = 'steps';
const BROKERS = ['a', 'b'];

describe('the layout of a topic at several name servers', () => {
  const closers: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** A name server that knows two brokers with 4 queues each. */
  async function nameServer(): Promise<{ server: ScriptedServer; kept: Map<string, string>; reject: () => void }> {
    const kept = new Map<string, string>();
    let isRejecting = false;
    const brokerDatas = BROKERS.map((brokerName) => ({ brokerName, cluster: 'c', brokerAddrs: { 0: '127.0.0.1:1' } }));
    const queueDatas = BROKERS.map((brokerName) => ({ brokerName, perm: 6, readQueueNums: 4, writeQueueNums: 4 }));
    const server = await startScriptedServer(({ code, fields }) => {
      const key = `${fields.namespace} ${fields.key}`;
      const value = kept.get(key);
      if (code === 105) return { body: JSON.stringify({ brokerDatas, queueDatas }) };
      if (isRejecting) return { code: 1, remark: 'no room' };
      if (code === 100) kept.set(key, fields.value ?? '');
      if (code === 102) kept.delete(key);
      if (code !== 101) return {};
      return value === undefined ? { code: 22, remark: 'No config item' } : { fields: { value } };
    });
    closers.push(() => server.close());
    const reject = (): void => {
      isRejecting = true;
    };
    return { server, kept, reject };
  }

  async function started() {
    const servers = [await nameServer(), await nameServer()] as const;
    const addresses = servers.map(({ server }) => server.address);
    const admin = new RocketMQAdmin({ nameServer: addresses.join(';') });
    closers.push(() => admin.close());
    const kept = () => servers.map((one) => one.kept.get(`ORDER_TOPIC_CONFIG ${TOPIC}`));
    const layout = (line: string) => call([...words(`topic layout ${line}`), '--name-server', addresses.join(';')]);
    return { admin, servers, addresses, kept, layout };
  }

  it('is set and removed at each of them', async () => {
    const { admin, kept } = await started();
    expect(await admin.setTopicLayout(TOPIC, 'b:2;a:4')).toMatchObject({
      present: 'a:4;b:4',
      differences: ['broker b has 4 queues, not 2'],
    });
    expect(kept()).toEqual(['a:4;b:2', 'a:4;b:2']);
    await admin.setTopicLayout(TOPIC, 'present');
    expect(kept()).toEqual(['a:4;b:4', 'a:4;b:4']);
    await admin.removeTopicLayout(TOPIC);
    expect(kept()).toEqual([undefined, undefined]);
  });

  it('that one of them rejects is reported with those that have it', async () => {
    const { admin, servers, addresses, kept } = await started();
    servers[1].reject();
    await expect(admin.setTopicLayout(TOPIC, 'present')).rejects.toMatchObject({
      code: 'PARTLY_DONE',
      doneOn: [addresses[0]],
    });
    expect(kept()).toEqual(['a:4;b:4', undefined]);
    const { differences } = (await admin.topicLayout(TOPIC)) ?? {};
    expect(differences).toEqual([`name server ${addresses[1]} has no order configuration`]);
  });

  it('is shown and changed by the command, which changes nothing without --yes', async () => {
    const { kept, layout, addresses } = await started();
    const none = await layout(TOPIC);
    expect(none).toMatchObject({ code: 0, err: '' });
    expect(none.out).toContain(`topic ${TOPIC}: a:4;b:4 can be written\n`);
    expect((await layout(`${TOPIC} --accept`)).out).toContain(
      `would be set to a:4;b:4 at ${addresses.join(', ')}; nothing was changed`,
    );
    expect(kept()).toEqual([undefined, undefined]);
    expect((await layout(`${TOPIC} --accept --yes`)).out).toContain('a:4;b:4');
    expect(kept()).toEqual(['a:4;b:4', 'a:4;b:4']);
    expect((await layout(`${TOPIC} --set a:4 --yes`)).out).toContain('broker b gets no message groups\n');
    expect(await layout(`${TOPIC} --set a --yes`)).toMatchObject({ code: 2, out: '' });
    expect((await layout(`${TOPIC} --remove --yes`)).out).toBe(
      `the order configuration of topic ${TOPIC} was removed\n`,
    );
    expect(kept()).toEqual([undefined, undefined]);
  });
});
