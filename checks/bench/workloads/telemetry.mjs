// The telemetry of a column: of OpenTelemetry with its SDK, all spans recorded and dropped at the exporter, or without an SDK.

import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';

/** @param {'with-sdk' | 'without-sdk'} kind */
export async function telemetryOf(kind) {
  if (kind === 'with-sdk') await registerSdk();
  return openTelemetry();
}

async function registerSdk() {
  const { metrics } = await import('@opentelemetry/api');
  const { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } = await import(
    '@opentelemetry/sdk-metrics'
  );
  const { BatchSpanProcessor, NodeTracerProvider } = await import('@opentelemetry/sdk-trace-node');
  const dropped = {
    export: (/** @type {unknown} */ _, /** @type {(result: { code: number }) => void} */ done) => done({ code: 0 }),
    forceFlush: async () => {},
    shutdown: async () => {},
    selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
  };
  const processor = new BatchSpanProcessor(dropped, { maxQueueSize: 100_000, maxExportBatchSize: 512 });
  new NodeTracerProvider({ spanProcessors: [processor] }).register();
  const reader = new PeriodicExportingMetricReader({ exporter: dropped, exportIntervalMillis: 10_000 });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
}
