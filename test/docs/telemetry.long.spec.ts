// Runs the examples of the guide to telemetry.

import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { context, propagation, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, type NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { RocketMQProducer } from 'nestjs-rocketmq';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ParcelPacked, ParcelShipped, ShippingModule, startTracing } from '../../docs/examples/telemetry.js';
import { takeParcels } from '../../docs/examples/telemetry-client.js';
import { until } from '../../tools/until.js';

const exporter = new InMemorySpanExporter();
let provider: NodeTracerProvider;

beforeAll(() => {
  provider = startTracing(exporter);
});
afterEach(() => exporter.reset());
afterAll(async () => {
  for (const api of [trace, context, propagation]) api.disable();
  await provider.shutdown();
});

const names = (): string[] => exporter.getFinishedSpans().map(({ name }) => name);
const traces = (): Set<string> => new Set(exporter.getFinishedSpans().map((span) => span.spanContext().traceId));

describe('the guide to telemetry', () => {
  it('has a listener that continues the trace of its message', async () => {
    const app = await Test.createTestingModule({ imports: [ShippingModule] }).compile();
    await app.init();
    await app.get(RocketMQProducer).send(ParcelPacked, { parcel: 'lamp' });
    await until(() => names().includes(`process ${ParcelPacked.name}`));
    await app.close();
    expect(names().sort()).toEqual([
      `process ${ParcelPacked.name}`,
      `send ${ParcelPacked.name}`,
      `send ${ParcelShipped.name}`,
    ]);
    expect(traces().size).toBe(1);
    const process = exporter.getFinishedSpans().find(({ name }) => name.startsWith('process'));
    expect(process?.attributes['parcel.carrier']).toBe('rail');
  });

  it('has a simple consumer that records a span for a message', async () => {
    const broker = await TestBroker.start();
    const connection = new Connection({ endpoints: broker.endpoints });
    const producer = new Producer(connection, { telemetry: openTelemetry() });
    await producer.send({ topic: 'parcel-ordered', body: 'lamp' });
    const packed: string[] = [];
    await takeParcels(connection, async (parcel) => void packed.push(parcel));
    await producer.close();
    connection.close();
    await broker.stop();
    expect(packed).toEqual(['lamp']);
    const steps = ['send', 'receive', 'process', 'ack'].map((step) => `${step} parcel-ordered`);
    expect(names()).toEqual(steps);
  });

  it('names every instrument and every attribute', async () => {
    const text = readFileSync('docs/guide/telemetry.md', 'utf8');
    const source = ['attributes', 'metrics'].map((name) =>
      readFileSync(`libs/rocketmq/src/opentelemetry/${name}.ts`, 'utf8'),
    );
    const named = source.join('\n').match(/'((messaging|rocketmq|nestjs_rocketmq|server|error)[._][a-z_.]+)'/g) ?? [];
    expect(named.length).toBeGreaterThan(35);
    // The former names are described by their rule.
    const mustBeThere = named
      .map((name) => name.slice(1, -1))
      .filter((name) => !name.startsWith('messaging.rocketmq.'));
    expect(mustBeThere.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});
