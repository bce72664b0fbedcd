// Operations on a real Apache RocketMQ: topics and groups that an application declares are created and compared, health, events. Runs
// with `npm run test:rocketmq` only.

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, type Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  deadLettersOf,
  defineTopic,
  RocketMQEvents,
  RocketMQHealth,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  SECOND_MS,
} from 'nestjs-rocketmq';
import { eventually } from '../../tools/until.js';
import { call } from '../fixtures/command-line.js';
import { recordingLogger } from '../fixtures/nest-bench.js';
import { nameServer, serverAdmin } from '../fixtures/real-server.js';

const Orders = defineTopic<{ id: string }>('orders', { type: 'fifo', queues: 4 });
const Reminders = defineTopic<{ id: string }>('reminders', { type: 'delay', queues: 2 });
const Charges = defineTopic<{ id: string }>('charges', { type: 'normal' });
const groups = { shop: { maxDeliveryAttempts: 5, backoff: [SECOND_MS, 5 * SECOND_MS] } };

@Injectable()
class Shop {
  readonly handled: string[] = [];

  @RocketMQListener(Orders, { consumerGroup: 'shop' })
  handle({ id }: { id: string }): void {
    this.handled.push(id);
  }

  @RocketMQListener(deadLettersOf('shop'), { consumerGroup: 'graveyard' })
  bury(): void {}

  @RocketMQListener(Reminders, { consumerGroup: 'reminders' })
  remind({ id }: { id: string }): void {
    this.handled.push(id);
  }
}

@Injectable()
class Charging {
  @RocketMQListener(Charges, { consumerGroup: 'charging', backoff: SECOND_MS, maxAttempts: 2 })
  charge(): void {
    throw new RangeError('the card is declined');
  }
}

const admin = serverAdmin();
let prefix = '';
const apps: TestingModule[] = [];

beforeAll(() => {
  prefix = `operations-${randomBytes(4).toString('hex')}-`;
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});
afterAll(() => admin.close());

async function start(options: Partial<RocketMQModuleOptions> = {}, providers: Provider[] = [Shop]) {
  const endpoints = process.env.ROCKETMQ_TEST_ENDPOINTS ?? '';
  const names = { topicPrefix: prefix, groupPrefix: prefix };
  // The open-source server ignores namespaces in the names of groups and topics, and so must their creation.
  const all = { endpoints, nameServer, groups, ...names, namespace: 'eu', logger: recordingLogger(), ...options };
  const imports = [RocketMQModule.forRoot(all)];
  const app = await Test.createTestingModule({ imports, providers }).compile();
  await app.init();
  apps.push(app);
  return app;
}

describe('operations on a real server', () => {
  it('missing topics and groups are reported at startup, created by several concurrent instances, and match from then on', async () => {
    await expect(start({ provision: 'check' })).rejects.toMatchObject({
      code: 'PROVISION_MISMATCH',
      differences: expect.arrayContaining([
        `topic "${prefix}orders" does not exist`,
        `topic "%DLQ%${prefix}shop" does not exist`,
        `consumer group "${prefix}shop" does not exist`,
      ]),
    });
    const [app] = await Promise.all([1, 2, 3].map(() => start({ provision: 'create' })));
    expect(await admin.describeTopic(`${prefix}orders`)).toMatchObject({ type: 'fifo', queues: 4 });
    expect(await admin.describeTopic(`${prefix}reminders`)).toMatchObject({ type: 'delay', queues: 2 });
    expect(await admin.describeGroup(`${prefix}shop`)).toMatchObject({
      fifo: true,
      maxDeliveryAttempts: 5,
      backoff: { kind: 'customized', nextMs: [SECOND_MS, 5 * SECOND_MS] },
    });
    await app?.get(RocketMQProducer).send(Orders, { id: 'a' }, { messageGroup: 'g' });
    await eventually(() => apps.some((one) => one.get(Shop).handled.includes('a')), Boolean);
    expect(apps.flatMap((one) => one.get(Shop).handled)).toEqual(['a']);
    await start({ provision: 'check' });
  });

  it('differences are reported and not changed', async () => {
    const logger = recordingLogger();
    const changed = { shop: { maxDeliveryAttempts: 6 } };
    const name = (await admin.brokers())[0]?.name;
    await start({ provision: 'create', groups: changed, logger });
    expect(logger.lines.filter(([line]) => line.startsWith('warn the cluster differs'))).toEqual([
      [
        expect.any(String),
        { differences: [`consumer group "${prefix}shop" has maxDeliveryAttempts 5 on ${name}, declared with 6`] },
      ],
    ]);
    expect(await admin.describeGroup(`${prefix}shop`)).toMatchObject({ maxDeliveryAttempts: 5 });
    await expect(start({ provision: 'check', groups: changed })).rejects.toMatchObject({ code: 'PROVISION_MISMATCH' });
  });

  it('an application is ready with a server that knows its producer and consumers, and is notified when they connect', async () => {
    const seen: string[] = [];
    @Injectable()
    class Watcher {
      constructor(events: RocketMQEvents) {
        events.of('connected', 'drained').subscribe(({ type, consumerGroup = 'producer' }) => {
          seen.push(`${type} ${consumerGroup}`);
        });
      }
    }
    const app = await start({}, [Shop, Watcher]);
    const { isReady, problems, consumers } = app.get(RocketMQHealth).report();
    expect([isReady, problems]).toEqual([true, []]);
    expect(consumers.map(({ health }) => health?.topics.map(({ assigned }) => assigned > 0))).toEqual([
      [true],
      [true],
      [true],
    ]);
    await app.close();
    const about = (type: string) => ['shop', 'graveyard', 'reminders'].map((group) => `${type} ${prefix}${group}`);
    expect([...seen].sort()).toEqual([...about('connected'), 'connected producer', ...about('drained')].sort());
  });

  it('failures of listeners are kept in a topic, and are read after the application has ended', async () => {
    const [operationsTopic, group] = [`${prefix}operations`, `${prefix}charging`];
    const app = await start({ provision: 'create', operations: { topic: 'operations' } }, [Charging]);
    await app.get(RocketMQProducer).send(Charges, { id: 'a' });
    await eventually(
      () => admin.listDeadLetters(group),
      ({ total }) => total === 1,
    );
    await Promise.all(apps.splice(0).map((one) => one.close()));
    const run = (...words: string[]) =>
      call([...words, '--operations-topic', operationsTopic, '--name-server', nameServer]);
    const listed = await eventually(
      () => run('failure', 'list', group),
      ({ out }) => out.startsWith('2 times'),
    );
    expect(listed).toMatchObject({ code: 0, err: '' });
    expect(listed.out).toMatch(/^2 times RangeError: group \S+, topic \S+\n {2}1 retried, 1 dead-lettered\n/);
    expect(listed.out).toContain('\n  the card is declined\n  at Charging.charge (');
    const letters = await eventually(
      () => run('dlq', 'list', group),
      ({ out }) => out.includes('declined'),
    );
    expect(letters.out).toContain('attempts-exhausted: RangeError: the card is declined');
  });

  it('the lag of groups is kept in the same topic, by one of several instances, and read after they have ended', async () => {
    const [operationsTopic, group] = [`${prefix}operations`, `${prefix}charging`];
    const operations = { topic: 'operations', lagEveryMs: 10 * SECOND_MS };
    const instances = [1, 2, 3].map(() => start({ provision: 'create', operations }, [Charging]));
    await Promise.all(instances);
    const stored = async () => {
      const { messages } = await admin.findMessages({ topic: operationsTopic, key: `lag:${group}`, limit: 64 });
      return messages;
    };
    const first = await eventually(stored, ({ length }) => length > 0);
    const more = await eventually(stored, ({ length }) => length >= first.length + 3);
    const tookMs = (more.at(-1)?.storeTimestampMs ?? 0) - (first.at(-1)?.storeTimestampMs ?? 0);
    // One in each interval, not one of each instance; two that are due at the same moment may both keep theirs.
    expect(more.length - first.length).toBeLessThanOrEqual(Math.ceil(tookMs / (10 * SECOND_MS)) + 1);
    await Promise.all(apps.splice(0).map((one) => one.close()));
    const history = await admin.lagHistory(operationsTopic, group);
    expect(history).toMatchObject({ failures: [], unreadBeforeMs: undefined });
    expect(history.hours.at(-1)?.topics.map(({ topic }) => topic)).toEqual([`${prefix}charges`]);
    // What is between does not keep the failures from being found.
    const { records } = await admin.listFailures(operationsTopic, { consumerGroup: group });
    expect(records.map(({ error }) => error.name)).toEqual(['RangeError', 'RangeError']);
    const names = ['--operations-topic', operationsTopic, '--name-server', nameServer];
    const { code, out } = await call(['lag', group, '--history', ...names]);
    expect(code).toBe(0);
    expect(out).toMatch(/^PEAK AT .*\n\d{4}-/);
  });
});
