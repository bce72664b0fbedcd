import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerScript, ScriptedCluster } from '../../../../../test/fixtures/scripted-cluster.js';
import { RocketMQAdmin } from '../../admin/rocketmq-admin.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { checkGroup } from './group-checks.js';

describe('the settings of a group', () => {
  const cluster = new ScriptedCluster();
  const admins: RocketMQAdmin[] = [];

  afterEach(async () => {
    for (const admin of admins.splice(0)) await admin.close();
    await cluster.close();
  });

  /** @param settings of each broker */
  async function checked(...settings: object[]) {
    const scriptOf =
      (own: object): BrokerScript =>
      ({ code }) => {
        if (code === CODES.getAllSubscriptionGroupConfig)
          return { body: JSON.stringify({ subscriptionGroupTable: { shop: { groupName: 'shop', ...own } } }) };
        return code === CODES.getConsumerConnectionList ? { code: RESPONSE_CODES.consumerNotOnline } : { body: '{}' };
      };
    const { nameServer } = await cluster.start(settings.map(scriptOf));
    const admin = new RocketMQAdmin({ nameServer: nameServer.address });
    admins.push(admin);
    const { checks } = await checkGroup(admin, 'shop', (...words) => words.join(' '));
    return checks[0];
  }

  it('are a warning where brokers differ, with the command that makes them the same', async () => {
    expect(await checked({ consumeMessageOrderly: true, retryMaxTimes: 2 }, { retryMaxTimes: 16 })).toMatchObject({
      status: 'warning',
      seen: 'ordered with 3 attempts on broker-0, not ordered with 17 attempts on broker-1',
      advice: 'group create shop --fifo --max-attempts 17 --yes',
    });
  });

  it('are a warning where the backoff or the lite topics differ, with what makes them the same', async () => {
    const waiting = (next: number[]) => ({
      groupRetryPolicy: { type: 'CUSTOMIZED', customizedRetryPolicy: { next } },
    });
    const call = `call admin.createGroup({ consumerGroup: "shop", backoff }, { ifExists: 'update' })`;
    const seen = 'not ordered with 17 attempts on broker-0, not ordered with 17 attempts on broker-1; ';
    expect(await checked(waiting([1_000, 5_000]), waiting([2_000]))).toMatchObject({
      status: 'warning',
      seen: `${seen}backoff: 1s 5s on broker-0; 2s on broker-1`,
      advice: call,
    });
    const lite = { attributes: { 'lite.bind.topic': 'chats' } };
    expect(await checked(lite, {})).toMatchObject({
      status: 'warning',
      seen: `${seen}lite: lite topics of chats, at most 2000 for each consumer on broker-0; no on broker-1`,
    });
    expect(await checked({ ...waiting([1_000]), retryMaxTimes: 4 }, waiting([2_000]))).toMatchObject({
      advice: `group create shop --max-attempts 17 --yes; then ${call}`,
    });
  });

  it.each([-1, 2 ** 31 - 1])('are a failure where they leave no attempt: retryMaxTimes %i', async (retryMaxTimes) => {
    expect(await checked({ retryMaxTimes: 4 }, { retryMaxTimes })).toMatchObject({
      status: 'failed',
      advice: 'group create shop --max-attempts 5 --yes',
    });
    expect(await checked({ retryMaxTimes })).toMatchObject({ advice: 'group create shop --max-attempts 17 --yes' });
  });

  it('are a warning where an ordered group has one attempt, which a deployment takes', async () => {
    const ordered = { consumeMessageOrderly: true };
    expect(await checked({ ...ordered, retryMaxTimes: 0 })).toMatchObject({
      status: 'warning',
      seen: 'ordered with 1 attempt on broker-0',
      advice: 'group create shop --fifo --max-attempts 17 --yes',
    });
    expect(await checked({ ...ordered, retryMaxTimes: 1 })).toMatchObject({ status: 'ok' });
    expect(await checked({ retryMaxTimes: 0 })).toMatchObject({ status: 'ok' });
  });

  it('are fine where all brokers have the same', async () => {
    const same = { retryMaxTimes: 4, groupRetryPolicy: { type: 'CUSTOMIZED', customizedRetryPolicy: { next: [5] } } };
    expect(await checked(same, same)).toMatchObject({ status: 'ok' });
  });
});
