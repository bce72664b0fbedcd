// The OpenTelemetry SDK of a demo process: spans if they are enabled, metrics always, because /metrics costs nothing until it is read.

import { createRequire } from 'node:module';
import { Logger } from '@nestjs/common';
import { DiagLogLevel, diag, metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, type ViewOptions } from '@opentelemetry/sdk-metrics';
import {
  BatchSpanProcessor,
  ConsoleSpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { inTime } from './in-time.js';
import type { MetricsSource } from './metrics.controller.js';
import type { SpanTarget } from './span-target.js';

/** Polled by probes, scrapers and open pages: spans of these requests would hide the others. */
const WATCHED_ALL_THE_TIME = /^\/(health\/|metrics|events|stock\/history)/;
/** A collector that does not respond must not delay the end of the process. */
const FLUSH_TIMEOUT_MS = 500;

/** The names that Prometheus creates by appending units, so that a dashboard works with both. */
const NAMES_WITH_UNITS: readonly ViewOptions[] = [
  { instrumentName: 'http.server.request.duration', name: 'http_server_request_duration_seconds' },
  ...['send_cost_time', 'delivery_latency', 'await_time', 'process_time'].map((name) => ({
    instrumentName: `rocketmq_${name}`,
    name: `rocketmq_${name}_milliseconds`,
  })),
];

/** A running SDK. */
export interface Telemetry {
  readonly metrics: MetricsSource;
  /** Sends pending spans, within half a second by default. A second call waits for the first. Never rejects. */
  shutdown(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/**
 * Registers the SDK for the whole process. Call it before the application is created, when producers and consumers look for the SDK.
 * If the collector is unavailable, spans are lost and a warning is logged.
 * @param serviceName the name, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` override it
 */
export function startTelemetry(serviceName: string, target: SpanTarget): Telemetry {
  const logger = new Logger('Telemetry');
  const lost = (why: string): void => logger.warn(`spans or metrics are lost: ${why}`);
  reportTroubles(lost);
  const named = resourceFromAttributes({ 'service.name': serviceName });
  const resource = defaultResource()
    .merge(named)
    .merge(detectResources({ detectors: [envDetector] }));
  const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const meterProvider = new MeterProvider({ resource, readers: [exporter], views: [...NAMES_WITH_UNITS] });
  metrics.setGlobalMeterProvider(meterProvider);
  const processor = processorOf(target);
  // Without a processor no provider is registered, so no spans are created and messages contain no trace context.
  const tracerProvider = processor && new NodeTracerProvider({ resource, spanProcessors: [processor] });
  tracerProvider?.register();
  const instrumentation = watchHttp();
  let ended: Promise<void> | undefined;
  const end = async (timeoutMs: number): Promise<void> => {
    instrumentation.disable();
    const all = Promise.all([tracerProvider?.shutdown(), meterProvider.shutdown()]);
    await inTime<unknown>(all, timeoutMs, undefined).catch((error) => lost(String(error)));
  };
  return {
    metrics: exporter,
    shutdown: ({ timeoutMs = FLUSH_TIMEOUT_MS } = {}) => {
      ended ??= end(timeoutMs);
      return ended;
    },
  };
}

function processorOf(target: SpanTarget): SpanProcessor | undefined {
  if (target === 'none') return undefined;
  if (target === 'console') return new SimpleSpanProcessor(new ConsoleSpanExporter());
  return new BatchSpanProcessor(new OTLPTraceExporter());
}

/** Creates a span and measures the duration of each request. */
function watchHttp(): HttpInstrumentation {
  const instrumentation = new HttpInstrumentation({
    ignoreIncomingRequestHook: ({ url = '' }) => WATCHED_ALL_THE_TIME.test(url),
    // Outgoing requests are those of the page and to the control port, which are not part of an order's flow.
    disableOutgoingRequestInstrumentation: true,
  });
  // It patches the module when it is required, and ES modules never require it.
  createRequire(import.meta.url)('node:http');
  return instrumentation;
}

/** Errors of the SDK are not errors of the application. */
function reportTroubles(lost: (why: string) => void): void {
  const drop = (): void => {};
  const error = (text: string): void => lost(reasonOf(text));
  diag.setLogger({ error, warn: drop, info: drop, debug: drop, verbose: drop }, DiagLogLevel.ERROR);
}

/** The SDK reports an error as the JSON of its fields, its stack among them. */
function reasonOf(text: string): string {
  try {
    const { message, name } = JSON.parse(text) as { readonly message?: string; readonly name?: string };
    return message || name || text;
  } catch {
    return text;
  }
}
