// What all log lines of one request or one message have to say: of which order, of which message.

import { AsyncLocalStorage } from 'node:async_hooks';
import { trace } from '@opentelemetry/api';

export interface LogFields {
  orderId?: string;
  messageId?: string;
  topic?: string;
  attempt?: number;
}

const current = new AsyncLocalStorage<LogFields>();

/** Runs `work`; each line that is written in it, and in what it awaits, says `fields`. */
export function withLogFields<T>(fields: LogFields, work: () => T): T {
  return current.run({ ...fields }, work);
}

/** For what becomes known on the way: the lines that follow say it, too. */
export function addLogFields(fields: LogFields): void {
  Object.assign(current.getStore() ?? {}, fields);
}

/** Middleware: all that is logged for one request has its fields in common. */
export function shareLogFields(_request: unknown, _response: unknown, next: () => void): void {
  withLogFields({}, next);
}

/** What a line that is written now has to say. */
export function logFieldsNow(): LogFields & { readonly traceId?: string } {
  const traceId = trace.getActiveSpan()?.spanContext().traceId;
  return { ...current.getStore(), ...(traceId === undefined ? {} : { traceId }) };
}
