// `group` on a cluster whose brokers have the group with different settings.

import { afterEach, describe, expect, it } from '@jest/globals';
import { call, words } from '../../../../test/fixtures/command-line.js';
import { ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import { REQUEST_CODES as CODES } from '../protocol/remoting/codes.js';

const cluster = new ScriptedCluster();
afterEach(() => cluster.close());

/** @param held the settings of each broker */
async function start(...held: object[]) {
  const { nameServer } = await cluster.start(
    held.map((one) => {
      let now = one;
      return ({ code, body }) => {
        if (code === CODES.updateAndCreateSubscriptionGroup) now = JSON.parse(body.toString());
        if (code !== CODES.getAllSubscriptionGroupConfig) return { body: '{}' };
        return { body: JSON.stringify({ subscriptionGroupTable: { shop: { groupName: 'shop', ...now } } }) };
      };
    }),
  );
  return async (line: string) => {
    const { out, err } = await call([...words(`group ${line}`), '--name-server', nameServer.address]);
    return `${out}${err}`;
  };
}

describe('a group with different settings on its brokers', () => {
  it('is shown with the brokers that have each', async () => {
    const group = await start(
      { consumeMessageOrderly: true, retryMaxTimes: 2 },
      { retryMaxTimes: 16 },
      { retryMaxTimes: -1, groupRetryPolicy: { type: 'CUSTOMIZED', customizedRetryPolicy: { next: [1000] } } },
    );
    expect((await group('show shop')).split('\n')).toEqual([
      'group shop: ordered on broker-0; not ordered on broker-1, broker-2',
      expect.stringMatching(
        /^attempts {2}3, then .* on broker-0; 17, then .* on broker-1; none: retryMaxTimes is -1.* on broker-2$/,
      ),
      expect.stringMatching(/^backoff {3}.* on broker-0, broker-1; 1s on broker-2$/),
      '',
    ]);
    expect(await group('list')).toMatch(/shop +differs +differs +differs +no +broker-0,broker-1,broker-2/);
  });

  it('is created with what each broker keeps', async () => {
    const group = await start({ consumeMessageOrderly: true, retryMaxTimes: 2 }, { retryMaxTimes: 16 });
    expect(await group('create shop')).toBe(
      'ordered group shop delivers at most 3 times on broker-0; group shop delivers at most 17 times on broker-1\n',
    );
    expect(await group('create shop --fifo --yes --max-attempts 5')).toBe(
      'ordered group shop delivers at most 5 times\n',
    );
  });

  it('says what one attempt means where it is ordered', async () => {
    const group = await start({});
    expect(await group('create shop --fifo --max-attempts 1 --yes')).toMatch(
      /^ordered group shop delivers at most 1 time: in an ordered group each release counts, .*; set --max-attempts\n$/,
    );
    expect(await group('show shop')).toMatch(/^attempts {2}1, then a dead letter; in an ordered group each release/m);
    expect(await group('create shop --no-fifo --max-attempts 1 --yes')).toBe('group shop delivers at most 1 time\n');
  });

  it('has no attempts where a proxy delivers nothing', async () => {
    const group = await start({ retryMaxTimes: 2147483647 });
    expect(await group('list')).toMatch(/shop +no +none /);
    expect(await group('create shop')).toContain('it delivers nothing on broker-0 until its attempts are set');
    expect(await group('create shop --max-attempts 17')).toMatch(
      /it delivers nothing on broker-0, not at most 17 times/,
    );
  });
});
