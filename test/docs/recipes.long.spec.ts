// The examples of docs/recipes run, and the alert rules name metrics that exist.

import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DynamicModule, Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { BODY_VERSION_PROPERTY, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { parse } from 'yaml';
import { OrderSubmitted, Picking } from '../../docs/examples/schema-evolution.js';
import { Accounting, Checkout } from '../../docs/examples/shop-services.js';
import { rocketmqOf } from '../../docs/examples/tenant-prefix.js';
import { Archive, currentTenant, InvoiceWritten, TenantHook } from '../../docs/examples/tenant-property.js';

/** The YAML blocks of a page. */
function yamlOf(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);
}

describe('the examples of the recipes', () => {
  let broker: TestBroker;
  let apps: TestingModule[];

  beforeEach(async () => {
    broker = await TestBroker.start();
    apps = [];
  });
  afterEach(async () => {
    for (const app of apps) await app.close();
    await broker.stop();
  });

  async function start(rocketmq: DynamicModule, ...providers: Type[]): Promise<TestingModule> {
    const app = await Test.createTestingModule({ imports: [rocketmq], providers }).compile();
    await app.init();
    apps.push(app);
    return app;
  }

  it('topic package: both services use the topic of the package', async () => {
    const app = await start(RocketMQModule.forRoot({ endpoints: broker.endpoints }), Checkout, Accounting);
    await app.get(Checkout).paid('basket-1', 990);
    await broker.idle();
    expect(app.get(Accounting).booked).toEqual(['990 for basket-1']);
    await expect(app.get(Checkout).paid('basket-2', -1)).rejects.toThrow('basket-paid');
  });

  it('tenants with prefixes: each tenant gets its own messages', async () => {
    class Billing {
      readonly billed: string[] = [];

      @RocketMQListener('orders', { consumerGroup: 'billing' })
      async bill(order: string): Promise<void> {
        this.billed.push(order);
      }
    }
    const [acme, bolt] = [
      await start(rocketmqOf('acme', broker.endpoints), Billing),
      await start(rocketmqOf('bolt', broker.endpoints), Billing),
    ];
    await acme.get(RocketMQProducer).send({ topic: 'orders', body: JSON.stringify('order-1') });
    await broker.idle();
    expect([acme.get(Billing).billed, bolt.get(Billing).billed]).toEqual([['order-1'], []]);
    expect(broker.messages('acme-orders')).toHaveLength(1);
    expect(broker.messages('orders')).toEqual([]);
  });

  it('tenants with a property: the handler runs for the tenant of the sender', async () => {
    const rocketmq = RocketMQModule.forRoot({ endpoints: broker.endpoints, hooks: [new TenantHook()] });
    const app = await start(rocketmq, Archive);
    const producer = app.get(RocketMQProducer);
    await currentTenant.run('acme', () => producer.send(InvoiceWritten, { number: '42' }));
    await broker.idle();
    expect(app.get(Archive).archived).toEqual(['acme: 42']);
    await expect(producer.send(InvoiceWritten, { number: '43' })).rejects.toThrow('needs a tenant');
    expect(broker.messages('invoice-written')).toHaveLength(1);
  });

  it('schema evolution: a handler gets the new version of old and new messages', async () => {
    const app = await start(RocketMQModule.forRoot({ endpoints: broker.endpoints }), Picking);
    const producer = app.get(RocketMQProducer);
    await producer.send({ topic: 'order-submitted', body: { orderId: 'old', sku: 'lamp', quantity: 1 } });
    await broker.idle();
    await producer.send(OrderSubmitted, { orderId: 'new', lines: [{ sku: 'chair', quantity: 2 }], currency: 'CHF' });
    await broker.idle();
    expect(app.get(Picking).picked).toEqual(['old: 1 lamp in EUR', 'new: 2 chair in CHF']);
    expect(broker.messages('order-submitted').map(({ properties }) => properties[BODY_VERSION_PROPERTY])).toEqual([
      undefined,
      '3',
    ]);
  });
});

describe('the YAML of the recipes', () => {
  it.each(readdirSync('docs/recipes'))('%s parses', (page) => {
    for (const text of yamlOf(`docs/recipes/${page}`)) {
      for (const document of text.split(/^---$/m)) expect(typeof parse(document)).toBe('object');
    }
  });

  it('alerts on metrics that the library or a server exports', () => {
    const [rules = ''] = yamlOf('docs/recipes/prometheus-alerts.md');
    const named = [...new Set(rules.match(/\brocketmq_\w+/g))];
    expect(named.length).toBeGreaterThan(6);
    const ofLibrary = readFileSync('libs/rocketmq/src/opentelemetry/metrics.ts', 'utf8');
    const ofServer = readFileSync('test/control/faults-and-metrics.spec.ts', 'utf8');
    const exists = (name: string): boolean => {
      const instrument = name.replace(/_(bucket|count|sum)$/, '').replace(/_(total|milliseconds|bytes)$/, '');
      return ofLibrary.includes(`'${instrument}'`) || ofLibrary.includes(`'${name}'`) || ofServer.includes(name);
    };
    expect(named.filter((name) => !exists(name))).toEqual([]);
  });
});
