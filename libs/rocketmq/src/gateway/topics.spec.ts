import { afterEach, describe, expect, it } from '@jest/globals';
import { startScriptedServer } from '../../../../test/fixtures/scripted-remoting-server.js';
import { Permission } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { ClusterAccess } from '../remoting/cluster-access.js';
import { RemotingClient } from '../remoting/remoting-client.js';
import { withDeadline } from '../support/deadline.js';
import type { Logger } from '../support/logger.js';
import { Topics } from './topics.js';

const MASTER = '127.0.0.1:10911';
const SLAVE = '127.0.0.1:10921';
const OTHER = '127.0.0.1:10931';

/** The brokers of a route, by name, with the addresses of each by id; a slave that acts as master has id 0 and cannot be written. */
type Route = Readonly<Record<string, { readonly addresses: Readonly<Record<string, string>>; readonly perm?: number }>>;
/** What a name server removes from the permission while a slave acts. */
const READ_ONLY = 4;

describe('a topic of a broker whose master is missing', () => {
  const closers: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  async function topicsOf(first: Route) {
    let route = first;
    const server = await startScriptedServer(({ code }) => (code === 105 ? { body: bodyOf(route) } : {}));
    const client = new RemotingClient({ connectTimeoutMs: 5_000 });
    closers.push(
      () => server.close(),
      () => client.close(),
    );
    const options = { nameServers: [server.address], cluster: undefined, timeoutMs: 5_000, unanimous: true };
    const warnings: unknown[] = [];
    const ignore = (): void => {};
    const logger: Logger = {
      debug: ignore,
      info: ignore,
      error: ignore,
      warn: (_, fields) => void warnings.push(fields),
    };
    const topics = new Topics(new ClusterAccess(client, options), (address) => address, logger);
    const readable = () =>
      withDeadline('assignments', 10_000, undefined, async (deadline) => {
        const found = await topics.readable('orders', () => false, deadline);
        return 'code' in found ? [] : found.map(({ broker }) => broker?.name);
      });
    const writable = () =>
      withDeadline('send', 10_000, undefined, async (deadline) => {
        const found = await topics.queues('orders', deadline);
        topics.assertStoresMessages('orders');
        const queues = 'queues' in found ? found.queues : [];
        const writable = queues.filter(({ permission }) => permission !== Permission.READ);
        return [...new Set(writable.map(({ broker }) => broker?.name))];
      });
    const become = (next: Route): void => {
      route = next;
    };
    return { topics, readable, writable, warnings, become };
  }

  it('is neither read nor written, and the error says so, and that it may be repeated', async () => {
    const { readable, writable } = await topicsOf({ a: { addresses: { 1: SLAVE } } });
    const rejected = { code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true };
    for (const asked of [readable(), writable()]) {
      await expect(asked).rejects.toMatchObject(rejected);
      await expect(asked).rejects.toThrow('the master of "a" is not registered, and no slave acts as master');
    }
  });

  it('is read from the other brokers, with one warning each time that the master goes', async () => {
    const without = { a: { addresses: { 1: SLAVE } }, b: { addresses: { 0: OTHER } } };
    const { readable, warnings, become } = await topicsOf(without);
    expect(await readable()).toEqual(['b']);
    expect(await readable()).toEqual(['b']);
    expect(warnings).toEqual([{ brokers: 'a' }]);
    become({ ...without, a: { addresses: { 0: MASTER, 1: SLAVE } } });
    expect(await readable()).toEqual(['a', 'b']);
    become(without);
    expect(await readable()).toEqual(['b']);
    expect(warnings).toHaveLength(2);
  });

  it('is read from a slave that acts as master, and not written there', async () => {
    const { topics, readable, writable, warnings } = await topicsOf({
      a: { addresses: { 0: SLAVE }, perm: READ_ONLY },
      b: { addresses: { 0: OTHER } },
    });
    expect(await readable()).toEqual(['a', 'b']);
    expect(topics.addressOf('a')).toBe(SLAVE);
    expect(await writable()).toEqual(['b']);
    expect(warnings).toEqual([]);
  });

  it('is not written while a slave acts as the only master, and the error may be repeated', async () => {
    const acting = { a: { addresses: { 0: SLAVE }, perm: READ_ONLY } };
    const { topics, readable, writable, become } = await topicsOf(acting);
    expect(await readable()).toEqual(['a']);
    await expect(writable()).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true });
    expect(() => topics.assertStoresMessages('orders')).toThrow('a slave acts as the master of "a"');
    // With its slave beside it, the master itself is there: the topic was closed for writing.
    become({ a: { addresses: { 0: MASTER, 1: SLAVE }, perm: READ_ONLY } });
    expect(await readable()).toEqual(['a']);
    expect(await writable()).toEqual([]);
  });
});

function bodyOf(route: Route): string {
  const brokerDatas = Object.entries(route).map(([brokerName, { addresses: brokerAddrs }]) => {
    return { brokerName, cluster: 'c', brokerAddrs, enableActingMaster: true };
  });
  const queueDatas = Object.entries(route).map(([brokerName, { perm = 6 }]) => {
    return { brokerName, perm, readQueueNums: 2, writeQueueNums: 2 };
  });
  return JSON.stringify({ brokerDatas, queueDatas });
}
