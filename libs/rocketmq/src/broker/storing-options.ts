// The storage options: folder, retention and memory.

import { HOUR_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import type { EmbeddedBrokerOptions } from './embedded-broker-options.js';
import type { RetentionLimits } from './engine/retention.js';

/** RocketMQ's own (`fileReservedTime`). */
const RETENTION_MS = 72 * HOUR_MS;
const MEMORY_BYTES = 2 * 1024 ** 3;

/** @throws UsageError */
export function assertStoring(options: EmbeddedBrokerOptions): void {
  for (const field of ['retentionMs', 'retentionBytes', 'maxMemoryBytes'] as const) {
    const value = options[field];
    if (value === undefined || (Number.isFinite(value) && value > 0)) continue;
    throw new UsageError('ILLEGAL_LIMIT', `${field} must be a number above 0, not ${String(value)}`, field);
  }
  if (options.data === '') throw new UsageError('ILLEGAL_FOLDER', 'data must name a folder, not ""', 'data');
  if (options.flush !== undefined && options.flush !== 'sync' && options.flush !== 'async') {
    throw new UsageError('ILLEGAL_FLUSH', `flush must be sync or async, not ${String(options.flush)}`, 'flush');
  }
}

export function retentionOf({ data, retentionMs, retentionBytes }: EmbeddedBrokerOptions): RetentionLimits {
  return { maxAgeMs: retentionMs ?? (data === undefined ? undefined : RETENTION_MS), maxBytes: retentionBytes };
}

/** Undefined on disk, where retention limits the size. */
export function memoryLimitOf({ data, maxMemoryBytes = MEMORY_BYTES }: EmbeddedBrokerOptions): number | undefined {
  return data === undefined ? maxMemoryBytes : undefined;
}
