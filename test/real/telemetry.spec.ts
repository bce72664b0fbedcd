// Traces and metrics of a Nest application with a real Apache RocketMQ. Runs with `npm run test:rocketmq` only.

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { trace } from '@opentelemetry/api';
import { defineTopic, RocketMQListener, RocketMQModule, RocketMQProducer, TransactionalSend } from 'nestjs-rocketmq';
import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';
import { silentLogger } from '../../libs/rocketmq/src/support/logger.js';
import { soon } from '../../tools/until.js';
import { Arrivals } from '../fixtures/arrivals.js';
import { nameServer, withAdmin } from '../fixtures/real-server.js';
import { idOf, linksOf, parentOf, TelemetryBench, traceOf } from '../fixtures/telemetry-bench.js';

const prefix = `telemetry-${randomBytes(4).toString('hex')}-`;
const Orders = defineTopic<{ id: string }>('orders', { type: 'normal' });
const Paid = defineTopic<{ id: string }>('paid', { type: 'transaction' });
const sdk = new TelemetryBench();
const arrivals = new Arrivals();
const traceparents: (string | undefined)[] = [];

@Injectable()
class Shop {
  @RocketMQListener(Orders)
  async ordered(
    { id }: { id: string },
    { message }: { message: { properties: Record<string, string> } },
  ): Promise<void> {
    traceparents.push(message.properties.traceparent);
    if (message.properties.attempt === 'fail once' && traceparents.length === 1) throw new RangeError('not yet');
    arrivals.add(`ordered ${id} in ${trace.getActiveSpan()?.spanContext().spanId}`);
  }

  @RocketMQListener(Paid, { batch: { maxSize: 4, maxWaitMs: 50 } })
  async paid(bodies: { id: string }[]): Promise<void> {
    for (const { id } of bodies) arrivals.add(`paid ${id}`);
  }

  @TransactionalSend(Paid, { message: (id: string) => ({ body: { id } }) })
  async pay(id: string): Promise<string> {
    return id;
  }
}

let app: TestingModule | undefined;

beforeAll(async () => {
  sdk.register();
  await withAdmin(async (admin) => {
    await admin.createTopic({ topic: `${prefix}orders`, type: 'normal' });
    await admin.createTopic({ topic: `${prefix}paid`, type: 'transaction' });
    await admin.createGroup({ consumerGroup: `${prefix}shop` });
  });
  app = await Test.createTestingModule({
    imports: [
      RocketMQModule.forRoot({
        endpoints: process.env.ROCKETMQ_TEST_ENDPOINTS ?? '',
        nameServer,
        topicPrefix: prefix,
        groupPrefix: prefix,
        consumerGroup: 'shop',
        logger: silentLogger,
        transactionLog: { check: async () => 'unknown' },
        telemetry: openTelemetry(),
        defaults: { backoff: 1_000 },
      }),
    ],
    providers: [Shop],
  }).compile();
  await app.init();
});
afterEach(() => sdk.reset());
afterAll(async () => {
  await app?.close();
  await withAdmin(async (admin) => {
    for (const { name } of [Orders, Paid]) await admin.deleteTopic(`${prefix}${name}`);
    await admin.deleteGroup(`${prefix}shop`);
  });
  await sdk.close();
});

const ended = async (name: string, count: number) => {
  for (;;) {
    const found = sdk.spans.filter((span) => span.name === name);
    if (found.length >= count) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

describe('telemetry on a real server', () => {
  it('propagates the context through the server to each attempt, and records metrics', async () => {
    await app
      ?.get(RocketMQProducer)
      .for(Orders)
      .send({ id: 'a' }, { properties: { attempt: 'fail once' } });
    const attempts = await ended(`process ${prefix}orders`, 2);
    const sent = sdk.span(`send ${prefix}orders`);
    expect(traceparents).toEqual(Array(2).fill(`00-${traceOf(sent)}-${idOf(sent)}-01`));
    expect(attempts.map(parentOf)).toEqual(Array(2).fill(idOf(sent)));
    expect(
      attempts.map(({ attributes }) => [attributes['nestjs_rocketmq.delivery_attempt'], attributes['error.type']]),
    ).toEqual([
      [1, 'RangeError'],
      [2, undefined],
    ]);
    await arrivals.of(`ordered a in ${attempts[1] && idOf(attempts[1])}`);
    // A run is measured after its span has ended.
    for (const name of ['send_cost_time', 'process_time', 'await_time', 'delivery_latency']) {
      await soon(async () => (await sdk.measured(`rocketmq_${name}`)).length > 0);
    }
  });

  it('propagates it through a transaction to the listeners of its message', async () => {
    await app?.get(Shop).pay('b');
    const [process] = await ended(`process ${prefix}paid`, 1);
    const half = sdk.span(`send ${prefix}paid`);
    expect(process && linksOf(process)).toEqual([idOf(half)]);
    const whole = sdk.span(`transact ${prefix}paid`);
    expect([half, sdk.span(`commit ${prefix}paid`)].map(parentOf)).toEqual(Array(2).fill(idOf(whole)));
  });
});
