import { describe, expect, it } from '@jest/globals';
import { gatewayWorld, TOPIC, usual } from '../../../../test/fixtures/gateway-world.js';
import { type BrokerScript, SILENCE } from '../../../../test/fixtures/scripted-cluster.js';
import type { ScriptedServer } from '../../../../test/fixtures/scripted-remoting-server.js';
import { until } from '../../../../tools/until.js';
import { placeOfMessageGroup } from '../protocol/model/layout.js';
import { REQUEST_CODES as CODES } from '../protocol/remoting/codes.js';

const LAYOUT = ['broker-0', 'broker-1'].map((brokerName) => ({ brokerName, queues: 4 }));
const GROUPS = Array.from({ length: 16 }, (_, index) => `group-${index}`);
const UNAVAILABLE = { code: 'MESSAGE_GROUP_UNAVAILABLE', outcome: 'not-sent', retryable: true };
const SOON = { timeoutMs: 300 };

describe('message groups over several brokers', () => {
  const { producerOn } = gatewayWorld();

  const ofBroker = (index: number): string[] =>
    GROUPS.filter((group) => placeOfMessageGroup(LAYOUT, group).brokerName === `broker-${index}`);
  const queuesOf = ({ requests }: ScriptedServer): (string | undefined)[] =>
    requests.filter(({ code }) => code === CODES.sendMessageV2).map(({ fields }) => fields.e);
  const queuesOn = (index: number): string[] =>
    ofBroker(index).map((group) => String(placeOfMessageGroup(LAYOUT, group).queueId));

  /** @param others name servers that are asked after the first */
  async function started(others?: readonly BrokerScript[], requestTimeoutMs?: number) {
    const world = await producerOn([usual, usual], {}, requestTimeoutMs, others);
    const { producer } = world;
    const send = (groups: readonly string[], options = SOON) =>
      Promise.allSettled(
        groups.map((messageGroup) => producer.send({ topic: TOPIC, body: 'x', messageGroup }, options)),
      );
    const sendAll = async (groups: readonly string[]): Promise<void> => {
      const failed = (await send(groups, { timeoutMs: 5_000 })).filter(({ status }) => status === 'rejected');
      expect(failed).toEqual([]);
    };
    // The route is renewed in the background after a send that failed.
    const eventuallyFails = (group: string): Promise<void> =>
      until(async () => {
        const [one] = await send([group]);
        return one?.status === 'rejected' && one.reason.code === UNAVAILABLE.code;
      });
    return { ...world, send, sendAll, eventuallyFails };
  }

  /** What a process learns of a route that has changed. */
  async function withoutFirst(kind: 'killed' | 'unknown') {
    const world = await started();
    await world.sendAll(GROUPS);
    world.hide(0);
    if (kind === 'killed') await world.brokers[0]?.close();
    const { client } = world.producer as unknown as { client: { renewRoute(topic: string): void } };
    client.renewRoute(TOPIC);
    await world.eventuallyFails(ofBroker(0)[0] ?? '');
    return world;
  }

  it.each(['killed', 'unknown'] as const)(
    'stay where they are while a broker is %s: theirs fail as not sent, others continue',
    async (kind) => {
      const { send, sendAll, brokers } = await withoutFirst(kind);
      const [lost, kept] = brokers as [ScriptedServer, ScriptedServer];
      const before = queuesOf(lost).length;
      const [atLost, atKept] = [ofBroker(0), ofBroker(1)];
      for (const failed of await send(atLost)) expect(failed).toMatchObject({ reason: UNAVAILABLE });
      await sendAll(atKept);
      expect(queuesOf(lost)).toHaveLength(before);
      expect(queuesOf(kept).sort()).toEqual([...queuesOn(1), ...queuesOn(1)].sort());
    },
  );

  it('are sent within the timeout when their broker comes back', async () => {
    const { producer, show, brokers } = await withoutFirst('unknown');
    const [messageGroup = ''] = ofBroker(0);
    const sent = producer.send({ topic: TOPIC, body: 'x', messageGroup }, { timeoutMs: 10_000 });
    show(0);
    await sent;
    expect(queuesOf(brokers[0] as ScriptedServer).at(-1)).toBe(
      String(placeOfMessageGroup(LAYOUT, messageGroup).queueId),
    );
  });

  it('are spread as the order configuration says, from the next answer about the route on', async () => {
    const { producer, sendAll, brokers, configure, hide } = await started();
    const [first, second] = brokers as [ScriptedServer, ScriptedServer];
    configure('broker-1:4');
    await sendAll(GROUPS);
    expect(queuesOf(first)).toEqual([]);
    expect(new Set(queuesOf(second))).toEqual(new Set(['0', '1', '2', '3']));
    configure('broker-0:4;broker-1:4');
    hide(0);
    const { client } = producer as unknown as { client: { renewRoute(topic: string): void } };
    client.renewRoute(TOPIC);
    await until(async () => {
      const [one] = await Promise.allSettled([
        producer.send({ topic: TOPIC, body: 'x', messageGroup: ofBroker(0)[0] }, SOON),
      ]);
      return one?.status === 'rejected';
    });
  });

  it('are known to be missing by a process that starts meanwhile, if an order configuration says so', async () => {
    const { send, configure, hide } = await started();
    configure('broker-0:4;broker-1:4');
    hide(0);
    const results = await send(GROUPS, { timeoutMs: 1_000 });
    const failed = GROUPS.filter((_, index) => results[index]?.status === 'rejected');
    expect(failed).toEqual(ofBroker(0));
  });

  it('wait for their brokers if an order configuration names them and no broker of the topic is known', async () => {
    const { producer, send, configure, hide, show } = await started();
    configure('broker-0:4;broker-1:4');
    for (const index of [0, 1]) hide(index);
    await producer.start({ timeoutMs: 1_000 });
    for (const failed of await send(GROUPS)) expect(failed).toMatchObject({ reason: UNAVAILABLE });
    const unordered = producer.send({ topic: TOPIC, body: 'x' }, SOON);
    await expect(unordered).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true });
    const sent = send(GROUPS, { timeoutMs: 10_000 });
    for (const index of [0, 1]) show(index);
    expect((await sent).filter(({ status }) => status === 'rejected')).toEqual([]);
  });

  it('are known to be missing if only another name server has the order configuration', async () => {
    const second: BrokerScript = ({ code }) =>
      code === CODES.getKvConfig ? { fields: { value: 'broker-0:4;broker-1:4' } } : { code: 17 };
    const { send, hide } = await started([second]);
    hide(0);
    const results = await send(GROUPS, { timeoutMs: 1_000 });
    expect(GROUPS.filter((_, index) => results[index]?.status === 'rejected')).toEqual(ofBroker(0));
  });

  it('wait while no name server says whether there is an order configuration', async () => {
    const { send, sendAll, configure, hide, brokers } = await started([], 3_000);
    configure(SILENCE);
    hide(0);
    for (const one of await send(GROUPS, { timeoutMs: 2_500 })) {
      expect(one).toMatchObject({ status: 'rejected', reason: { outcome: 'not-sent', retryable: true } });
    }
    configure('broker-0:4;broker-1:4');
    await sendAll(ofBroker(1));
    expect(queuesOf(brokers[1] as ScriptedServer).sort()).toEqual(queuesOn(1).sort());
  });
});
