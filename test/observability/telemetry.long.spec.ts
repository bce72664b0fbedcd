// The shutdown of the demos' SDK, and collectors that do not respond.

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { context, diag, metrics, propagation, trace } from '@opentelemetry/api';
import { type DatabaseGauge, registerDatabaseGauge } from '../../libs/demo-kit/src/observability/database-gauge.js';
import { spanTargetOf } from '../../libs/demo-kit/src/observability/span-target.js';
import { startTelemetry, type Telemetry } from '../../libs/demo-kit/src/observability/telemetry.js';
import { eventually } from './support/eventually.js';
import { OtlpReceiver } from './support/otlp-receiver.js';

/** Longer than any test, so that waiting for it fails with a time-out. */
const FOR_EVER_MS = '3600000';
const VARIABLES = {
  OTEL_BSP_SCHEDULE_DELAY: FOR_EVER_MS,
  OTEL_BSP_EXPORT_TIMEOUT: FOR_EVER_MS,
  OTEL_EXPORTER_OTLP_TIMEOUT: FOR_EVER_MS,
};

describe('the telemetry of a demo', () => {
  let telemetry: Telemetry | undefined;
  const ends: (() => unknown)[] = [];

  beforeEach(() => {
    Object.assign(process.env, VARIABLES);
  });
  afterEach(async () => {
    await telemetry?.shutdown({ timeoutMs: 1 });
    for (const end of ends.splice(0)) await end();
    for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
    for (const api of [trace, context, propagation, metrics, diag]) api.disable();
    jest.restoreAllMocks();
  });

  const sendTo = (url: string): Telemetry => {
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = url;
    telemetry = startTelemetry('some-demo', spanTargetOf(process.env));
    trace.getTracer('a test').startSpan('the only one').end();
    return telemetry;
  };

  it('sends its last spans at shutdown, with the name of its service', async () => {
    const collector = await OtlpReceiver.start();
    ends.push(() => collector.stop());
    process.env.OTEL_SERVICE_NAME = 'another name';
    const started = sendTo(collector.url);
    expect(collector.spans).toEqual([]);
    await started.shutdown({ timeoutMs: 60_000 });
    expect(collector.spans).toMatchObject([{ service: 'another name', name: 'the only one' }]);
  });

  it('does not wait for a collector that does not answer', async () => {
    let asked = (_: ServerResponse): void => {};
    const answer = new Promise<ServerResponse>((resolve) => {
      asked = resolve;
    });
    const silent = createServer((_request, response) => asked(response));
    await listen(silent);
    ends.push(() => closed(silent));
    const started = sendTo(urlOf(silent));
    const first = started.shutdown();
    expect(started.shutdown()).toBe(first);
    await first;
    // Only now, so that no request of the SDK stays open.
    const response = await answer;
    await new Promise<void>((resolve) => response.writeHead(200).end(resolve));
  });

  it.each([
    ['on its way', '1'],
    ['at the end', FOR_EVER_MS],
  ])('says in the log that spans are lost, and why, %s', async (_when, delayMs) => {
    const gone = createServer();
    await listen(gone);
    const url = urlOf(gone);
    await closed(gone);
    const warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    process.env.OTEL_BSP_SCHEDULE_DELAY = delayMs;
    // Less than the delay before a retry.
    process.env.OTEL_EXPORTER_OTLP_TIMEOUT = '500';
    const started = sendTo(url);
    if (delayMs === FOR_EVER_MS) await started.shutdown({ timeoutMs: 60_000 });
    const [line] = await eventually(() => warn.mock.calls[0]);
    expect(line).toMatch(/^spans or metrics are lost: \w/);
    expect(String(line)).not.toContain('{');
  });

  it('records metrics by default, and spans only if enabled', async () => {
    telemetry = startTelemetry('some-demo', spanTargetOf({}));
    expect(trace.getTracer('a test').startSpan('none').isRecording()).toBe(false);
    metrics.getMeter('a test').createCounter('some_counter').add(3);
    expect(await scraped(telemetry)).toMatch(/^some_counter_total 3$/m);
  });

  it('queries a database that does not respond only once at a time, and serves the other metrics', async () => {
    telemetry = startTelemetry('some-demo', 'none');
    let asked = 0;
    const of = (name: string, read: DatabaseGauge['read']) =>
      registerDatabaseGauge({ name, description: name, unit: '{piece}', read });
    of('stuck', () => {
      asked++;
      return new Promise(() => {});
    });
    of('broken', () => Promise.reject(new Error('the database is away')));
    of('fine', async () => [{ value: 7, labels: { sku: 'book' } }]);
    jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const texts = await Promise.all([scraped(telemetry), scraped(telemetry)]);
    for (const text of texts) expect(text).toMatch(/^fine\{sku="book"\} 7$/m);
    expect(texts.join()).not.toMatch(/^(stuck|broken)\{/m);
    expect(asked).toBe(1);
  });

  const scraped = async ({ metrics: source }: Telemetry): Promise<string> => {
    const server = createServer((request, response) => source.getMetricsRequestHandler(request, response));
    await listen(server);
    ends.push(() => closed(server));
    return (await fetch(urlOf(server), { headers: { connection: 'close' } })).text();
  };
});

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function closed(server: Server): Promise<unknown> {
  const end = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  return end;
}
