// Metrics that are read from the database when they are scraped, so they are exact after a restart and with several processes.

import { type Attributes, metrics, type ObservableResult } from '@opentelemetry/api';
import { inTime } from './in-time.js';

/** Less than the time-out of Prometheus, 10 s. */
const READ_TIMEOUT_MS = 2_000;

export interface DatabaseGauge {
  readonly name: string;
  readonly description: string;
  /** A unit in OpenTelemetry's notation: `s`, `By`, or what is counted, in braces. */
  readonly unit: string;
  /** If it throws, the SDK continues to report the last values. */
  read(): Promise<readonly { readonly value: number; readonly labels: Attributes }[]>;
}

/**
 * Registers a gauge with the SDK of this process; without an SDK nothing is read. A database that does not respond blocks nothing:
 * there is one read at a time, with a limit of 2 s.
 * @returns a function that removes the gauge
 */
export function registerDatabaseGauge({ name, description, unit, read }: DatabaseGauge): () => void {
  const gauge = metrics.getMeter('demo').createObservableGauge(name, { description, unit });
  let reading: ReturnType<DatabaseGauge['read']> | undefined;
  const observe = async (result: ObservableResult): Promise<void> => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    for (const { value, labels } of await inTime(reading, READ_TIMEOUT_MS, [])) result.observe(value, labels);
  };
  gauge.addCallback(observe);
  return () => gauge.removeCallback(observe);
}
