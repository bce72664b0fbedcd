// A consumer group that is paused on the servers, as an application reports it.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { NestBench, recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import {
  RocketMQEvents,
  RocketMQHealth,
  RocketMQListener,
  RocketMQListeners,
  RocketMQProducer,
} from '../../entries/nest.js';

const PAUSE = { reason: 'the bank is away', by: 'ada' };
const NOT_KNOWN = { reason: undefined, by: undefined, sinceMs: undefined };

let handled = 0;

@Injectable()
class Shop {
  @RocketMQListener('orders', { consumerGroup: 'shop', name: 'orders' })
  handle(): void {
    handled++;
  }
}

describe('an application whose group is paused', () => {
  let bench: NestBench;
  let admin: RocketMQAdmin;

  beforeEach(async () => {
    handled = 0;
    bench = await NestBench.open({ nameServerPort: 0, groups: [{ name: 'shop' }] });
    admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint });
  });
  afterEach(async () => {
    await admin.close();
    await bench.close();
  });

  it('starts, is ready, and reports why it handles nothing until the group is resumed', async () => {
    await admin.pauseGroup('shop', PAUSE);
    const logger = recordingLogger();
    const events: object[] = [];
    const app = await bench.start({
      providers: [Shop],
      options: { nameServer: bench.broker.nameServerEndpoint, logger },
      prepare: (made) =>
        void made
          .get(RocketMQEvents)
          .of('group-paused', 'group-resumed')
          .subscribe((one) => events.push(one)),
    });
    const [health, listeners] = [app.get(RocketMQHealth), app.get(RocketMQListeners)];
    const pause = () => health.report().consumers[0]?.health?.groupPause;
    await until(() => pause()?.reason !== undefined);
    const sinceMs = expect.any(Number);
    expect(pause()).toEqual({ ...PAUSE, sinceMs });
    expect(health.report()).toMatchObject({ isReady: true, problems: [] });
    expect(listeners.state('orders').status).toBe('group-paused');
    listeners.pause('orders');
    expect(listeners.state('orders').status).toBe('paused');
    listeners.resume('orders');
    await app.get(RocketMQProducer).send({ topic: 'orders', body: '1' });
    await admin.resumeGroup('shop');
    await until(() => handled === 1);
    await until(() => listeners.state('orders').status === 'listening');
    expect(pause()).toBeUndefined();
    const [subject, atMs] = [{ connection: undefined, consumerGroup: 'shop' }, expect.any(Number)];
    expect(events).toEqual([
      { type: 'group-paused', ...subject, ...PAUSE, sinceMs, atMs },
      { type: 'group-resumed', ...subject, atMs },
    ]);
    const since = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(logger.lines.filter(([line]) => /paused|resumed|failed/.test(line))).toEqual([
      [
        `warn the consumer group is paused, so nothing is received until it is resumed: npx nestjs-rocketmq group resume shop --name-server ${bench.broker.nameServerEndpoint}`,
        expect.objectContaining({ consumerGroup: 'shop', ...PAUSE, since }),
      ],
      ['info the consumer group is resumed', expect.objectContaining({ consumerGroup: 'shop' })],
    ]);
  });

  it('reports the pause without a reason where no name server can be asked', async () => {
    await admin.pauseGroup('shop', PAUSE);
    const app = await bench.start({ providers: [Shop] });
    const groupPause = () => app.get(RocketMQHealth).report().consumers[0]?.health?.groupPause;
    await until(() => groupPause() !== undefined);
    expect(groupPause()).toEqual(NOT_KNOWN);
  });
});
