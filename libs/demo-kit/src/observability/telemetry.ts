// The OpenTelemetry SDK of a demo process: spans where they are wanted, measurements always, since /metrics costs nothing until it
// is read.

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

/** Asked again and again, by probes, scrapers and open pages: spans of these would hide the others. */
const WATCHED_ALL_THE_TIME = /^\/(health\/|metrics|events|stock\/history)/;
/** A collector that does not answer must not hold up the end of the process. */
const FLUSH_TIMEOUT_MS = 500;

/** As Prometheus has them where it adds the units itself, so that a board fits both. */
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
  /** Sends what is not sent yet, within half a second by default. A second call waits for the first. Never rejects. */
  shutdown(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/**
 * Registers the SDK for the whole process; before the application is made, since producers and consumers look for it then. A collector
 * that is away costs spans and a warning, nothing else.
 * @param serviceName unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` have another
 */
export function startTelemetry(serviceName: string, target: SpanTarget): Telemetry {
  const logger = new Logger('Telemetry');
  const lost = (why: string): void => logger.warn(`spans or metrics are lost: ${why}`);
  tellTroubles(lost);
  const named = resourceFromAttributes({ 'service.name': serviceName });
  const resource = defaultResource()
    .merge(named)
    .merge(detectResources({ detectors: [envDetector] }));
  const exporter = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const meterProvider = new MeterProvider({ resource, readers: [exporter], views: [...NAMES_WITH_UNITS] });
  metrics.setGlobalMeterProvider(meterProvider);
  const processor = processorOf(target);
  // Without one no provider is registered: then nothing makes spans, and nothing is put into messages.
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

/** A span and a duration for each request. */
function watchHttp(): HttpInstrumentation {
  const instrumentation = new HttpInstrumentation({
    ignoreIncomingRequestHook: ({ url = '' }) => WATCHED_ALL_THE_TIME.test(url),
    // What goes out is the page's, and the control port's: no part of an order's way.
    disableOutgoingRequestInstrumentation: true,
  });
  // It puts itself before the servers' prototype when somebody requires the module, which ES modules never do.
  createRequire(import.meta.url)('node:http');
  return instrumentation;
}

/** What the SDK cannot do is no error of the application's. */
function tellTroubles(lost: (why: string) => void): void {
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
