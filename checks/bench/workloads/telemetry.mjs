// The telemetry of a column: of OpenTelemetry with its SDK, all spans recorded and dropped at the exporter, or none of them sampled, or
// without an SDK; and spans that an application would make by hand.

import { createRequire } from 'node:module';
import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';

/** That of the library and the SDK: what is compared here brings another one, which would trace nothing. @type {typeof import('../../../node_modules/@opentelemetry/api/build/src/index.js')} */
const { context, metrics, propagation, SpanKind, trace } = createRequire(
  new URL('../../../package.json', import.meta.url),
)('@opentelemetry/api');

/** @param {'with-sdk' | 'without-sdk' | 'unsampled'} kind */
export async function telemetryOf(kind) {
  if (kind !== 'without-sdk') await registerSdk(kind === 'unsampled');
  return openTelemetry();
}

/** With the attributes of the library's own spans, and the context in the message. @param {string} topic @param {string} group */
export async function spansByHand(topic, group) {
  await registerSdk(false);
  const tracer = trace.getTracer('by-hand');
  const system = {
    'messaging.system.name': 'rocketmq',
    'messaging.system': 'rocketmq',
    'messaging.client.id': group,
    'server.address': '127.0.0.1',
    'server.port': 8081,
    'messaging.destination.name': topic,
    'rocketmq.message.type': 'normal',
    'messaging.rocketmq.message.type': 'normal',
  };
  const sends = { ...system, 'messaging.operation.name': 'send', 'messaging.operation.type': 'send' };
  const processes = { ...system, 'messaging.operation.name': 'process', 'messaging.operation.type': 'process' };
  return {
    /** @template T @param {(properties: Record<string, string>) => Promise<T>} send */
    around(send) {
      const active = context.active();
      const span = tracer.startSpan(`send ${topic}`, { kind: SpanKind.PRODUCER, attributes: { ...sends } }, active);
      const sending = trace.setSpan(active, span);
      /** @type {Record<string, string>} */
      const properties = {};
      propagation.inject(sending, properties);
      return context.with(sending, send, undefined, properties).finally(() => span.end());
    },
    /** @param {Readonly<Record<string, string>>} properties @param {() => unknown} handle */
    within(properties, handle) {
      const parent = propagation.extract(context.active(), properties);
      const span = tracer.startSpan(
        `process ${topic}`,
        { kind: SpanKind.CONSUMER, attributes: { ...processes } },
        parent,
      );
      try {
        return context.with(trace.setSpan(parent, span), handle);
      } finally {
        span.end();
      }
    },
  };
}

/** @param {boolean} isUnsampled */
async function registerSdk(isUnsampled) {
  const { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } = await import(
    '@opentelemetry/sdk-metrics'
  );
  const { AlwaysOffSampler, BatchSpanProcessor, NodeTracerProvider } = await import('@opentelemetry/sdk-trace-node');
  const dropped = {
    export: (/** @type {unknown} */ _, /** @type {(result: { code: number }) => void} */ done) => done({ code: 0 }),
    forceFlush: async () => {},
    shutdown: async () => {},
    selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
  };
  const processor = new BatchSpanProcessor(dropped, { maxQueueSize: 100_000, maxExportBatchSize: 512 });
  const sampler = isUnsampled ? { sampler: new AlwaysOffSampler() } : {};
  new NodeTracerProvider({ spanProcessors: [processor], ...sampler }).register();
  const reader = new PeriodicExportingMetricReader({ exporter: dropped, exportIntervalMillis: 10_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
}
