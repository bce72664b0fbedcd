// Nest's logger, with the ids of order and message in each line, as text or JSON.

import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import { ConfigurationError, type Environment, textOf } from '../environment.js';
import { logFieldsNow } from './log-fields.js';

export type LogFormat = 'text' | 'json';

/**
 * `LOG_FORMAT` is `text` or `json`. Default `text`. Nest's `NEST_LOG_LEVEL` sets the level, for instance `>=warn`; default: everything.
 * @throws ConfigurationError
 */
export function logFormatOf(env: Environment): LogFormat {
  const format = textOf(env, 'LOG_FORMAT') ?? 'text';
  if (format === 'text' || format === 'json') return format;
  throw new ConfigurationError(`LOG_FORMAT must be text or json, not "${format}"`);
}

type Fields = Readonly<Record<string, unknown>>;

/** For `NestFactory.create`. */
export class DemoLogger extends ConsoleLogger {
  constructor(prefix: string, format: LogFormat) {
    super({ prefix, json: format === 'json', flattenParams: true });
  }

  protected override printMessages(
    messages: unknown[],
    context?: string,
    logLevel?: LogLevel,
    writeStreamType?: 'stdout' | 'stderr',
    errorStack?: unknown,
    params?: Record<string, unknown>,
  ): void {
    const about = logFieldsNow();
    for (const message of messages) {
      const { text, fields } = takenApart(message);
      const all = { ...about, ...orderIn(fields), ...fields, ...params };
      const loggedFields = Object.keys(all).length === 0 ? undefined : all;
      super.printMessages([text], context, logLevel, writeStreamType, errorStack, loggedFields);
    }
  }
}

/** The library logs objects with `msg` and further fields. */
function takenApart(message: unknown): { readonly text: unknown; readonly fields: Fields } {
  if (typeof message !== 'object' || message === null || !('msg' in message)) return { text: message, fields: {} };
  const { msg, ...fields } = message;
  return { text: msg, fields };
}

/** In the demos, the key of a message is the id of its order. */
function orderIn({ keys }: Fields): Fields {
  return Array.isArray(keys) && keys.length === 1 ? { orderId: keys[0] } : {};
}
