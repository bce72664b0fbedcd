// The setup of the telemetry specs: the OpenTelemetry SDK, registered, with spans and measurements kept in memory.

import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { type DataPoint, type Histogram, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';

/** Collects on request. */
export class AskedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** A measurement with its labels. */
export interface Measured {
  readonly labels: Readonly<Record<string, unknown>>;
  /** For a histogram, the number of values. */
  readonly value: number;
}

/** One SDK for a spec file. */
export class TelemetryBench {
  private readonly exporter = new InMemorySpanExporter();
  private readonly reader = new AskedReader();
  private readonly tracers = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.exporter)] });
  private readonly meters = new MeterProvider({ readers: [this.reader] });

  /** Registers it as the SDK of this process. */
  register(): void {
    this.tracers.register();
    this.registerMeters();
  }

  /** The same, for measurements only. */
  registerMeters(): void {
    metrics.setGlobalMeterProvider(this.meters);
  }

  async close(): Promise<void> {
    for (const api of [trace, context, propagation, metrics]) api.disable();
    await this.tracers.shutdown();
    await this.meters.shutdown();
  }

  /** The ended spans, in the order in which they ended. */
  get spans(): ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  /** Clears the spans. */
  reset(): void {
    this.exporter.reset();
  }

  /** The only span of this name. @throws if there is none or more than one */
  span(name: string): ReadableSpan {
    const found = this.spans.filter((span) => span.name === name);
    const [first] = found;
    if (first !== undefined && found.length === 1) return first;
    const names = this.spans.map((span) => span.name).join(', ');
    throw new Error(`${found.length} spans are named "${name}"; there are: ${names}`);
  }

  /** The measurements of an instrument. */
  async measured(name: string): Promise<Measured[]> {
    const metric = await this.metric(name);
    return (metric?.dataPoints ?? []).map(({ attributes, value }) => {
      const isHistogram = typeof value === 'object';
      return { labels: attributes, value: isHistogram ? (value as Histogram).count : (value as number) };
    });
  }

  /** The unit and bounds of a histogram. */
  async histogram(name: string): Promise<{ readonly unit: string; readonly bounds: readonly number[] } | undefined> {
    const metric = await this.metric(name);
    const [point] = metric?.dataPoints ?? [];
    if (metric === undefined || point === undefined) return undefined;
    return { unit: metric.descriptor.unit, bounds: (point.value as Histogram).buckets.boundaries };
  }

  /** The names of all instruments that have measured something. */
  async instruments(): Promise<string[]> {
    const { resourceMetrics } = await this.reader.collect();
    return resourceMetrics.scopeMetrics.flatMap(({ metrics: all }) => all.map(({ descriptor }) => descriptor.name));
  }

  private async metric(name: string) {
    const { resourceMetrics } = await this.reader.collect();
    const all = resourceMetrics.scopeMetrics.flatMap(({ metrics: some }) => some);
    const found = all.find(({ descriptor }) => descriptor.name === name);
    return found && { ...found, dataPoints: found.dataPoints as DataPoint<number | Histogram>[] };
  }
}

/** Identifies a span. */
export const idOf = (span: ReadableSpan): string => span.spanContext().spanId;
export const traceOf = (span: ReadableSpan): string => span.spanContext().traceId;
export const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId;
export const linksOf = (span: ReadableSpan): string[] => span.links.map((link) => link.context.spanId);
