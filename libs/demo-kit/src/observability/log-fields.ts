// The fields that all log lines of a request or message have in common: the ids of order and message.

import { AsyncLocalStorage } from 'node:async_hooks';
import { trace } from '@opentelemetry/api';

export interface LogFields {
  orderId?: string;
  messageId?: string;
  topic?: string;
  attempt?: number;
}

const current = new AsyncLocalStorage<LogFields>();

/** Runs `work`; each line that is logged in it, and in what it awaits, has `fields`. */
export function withLogFields<T>(fields: LogFields, work: () => T): T {
  return current.run({ ...fields }, work);
}

/** Adds fields that become known later to all following lines. */
export function addLogFields(fields: LogFields): void {
  Object.assign(current.getStore() ?? {}, fields);
}

/** Middleware that creates the common fields of a request. */
export function shareLogFields(_request: unknown, _response: unknown, next: () => void): void {
  withLogFields({}, next);
}

/** The fields of a line that is logged now. */
export function logFieldsNow(): LogFields & { readonly traceId?: string } {
  const traceId = trace.getActiveSpan()?.spanContext().traceId;
  return { ...current.getStore(), ...(traceId === undefined ? {} : { traceId }) };
}
