// What all log lines of one request or one message have to say: of which order, of which message.

import { AsyncLocalStorage } from 'node:async_hooks';
import { trace } from '@opentelemetry/api';

export interface LogFields {
  readonly orderId?: string;
  readonly messageId?: string;
  readonly topic?: string;
  readonly attempt?: number;
}

const current = new AsyncLocalStorage<LogFields>();

/** Runs `work`; each line that is written in it, and in what it awaits, says `fields`. */
export function withLogFields<T>(fields: LogFields, work: () => T): T {
  return current.run(fields, work);
}

/** What a line that is written now has to say. */
export function logFieldsNow(): LogFields & { readonly traceId?: string } {
  const traceId = trace.getActiveSpan()?.spanContext().traceId;
  return { ...current.getStore(), ...(traceId === undefined ? {} : { traceId }) };
}
