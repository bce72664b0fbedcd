import { expect, it } from '@jest/globals';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { AskedReader } from '../../../../test/fixtures/telemetry-bench.js';
import type { ObservedConsumer } from '../consumer/model/consumer-telemetry.js';
import { SystemClock } from '../support/clock.js';
import { ClientLabels, Metrics } from './metrics.js';

function consumer(clientId: string): ObservedConsumer {
  const held = () => [{ topic: 'orders', messages: 0, bytes: 0 }];
  return {
    clientId,
    consumerGroup: 'stock',
    namespace: '',
    server: { host: 'h', port: 1 },
    clock: new SystemClock(),
    held,
    heldUpQueues: () => 3,
  };
}

it('drops consumers that have closed when no reader collects them', async () => {
  const reader = new AskedReader();
  const provider = new MeterProvider({ readers: [reader] });
  const metrics = new Metrics(provider.getMeter('spec'));
  for (let count = 0; count < 1_000; count++) metrics.watch(consumer(`client-${count}`))();
  const { resourceMetrics } = await reader.collect();
  const [cached] = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  expect(cached?.dataPoints).toHaveLength(100);
  expect(cached?.dataPoints.at(-1)?.attributes.client_id).toBe('client-999');
  await provider.shutdown();
});

it('counts the queues that are held up, by consumer', async () => {
  const reader = new AskedReader();
  const provider = new MeterProvider({ readers: [reader] });
  new Metrics(provider.getMeter('spec')).watch(consumer('client'));
  const { resourceMetrics } = await reader.collect();
  const heldUp = resourceMetrics.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .find(({ descriptor: { name } }) => name === 'rocketmq_client_held_up_queues');
  const attributes = { client_id: 'client', consumer_group: 'stock' };
  expect(heldUp?.dataPoints).toMatchObject([{ value: 3, attributes }]);
  await provider.shutdown();
});

it('keeps the labels of topics in use, but not of an unlimited number', () => {
  const labels = new ClientLabels({ clientId: 'c' });
  const used = labels.of('used');
  for (let count = 0; count < 2_000; count++) labels.of(`topic-${count}`);
  expect(labels.of('used')).toBe(used);
  expect(labels.of('topic-1999')).toEqual(labels.of('topic-1999'));
  expect(labels.of('topic-1999')).not.toBe(labels.of('topic-1999'));
});
