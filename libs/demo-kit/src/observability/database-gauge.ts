// Measurements that are read from the database when they are asked for: exact, whichever process counted, and after each restart.

import { type Attributes, metrics, type ObservableResult } from '@opentelemetry/api';
import { inTime } from './in-time.js';

/** Below the time-out of Prometheus, 10 s. */
const READ_TIMEOUT_MS = 2_000;

export interface DatabaseGauge {
  readonly name: string;
  readonly description: string;
  /** As OpenTelemetry writes units: `s`, `By`, or what is counted in braces. */
  readonly unit: string;
  /** @throws Error: then the SDK goes on telling what was read last */
  read(): Promise<readonly { readonly value: number; readonly labels: Attributes }[]>;
}

/**
 * Registers a gauge with the SDK of this process; without one nothing ever reads. A database that does not answer holds nobody up: one
 * reading at a time, and 2 s for it.
 * @returns what takes it back
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
