// The library's log lines as Nest's.

import { Logger as NestLogger } from '@nestjs/common';
import type { LogFields, Logger } from '../support/logger.js';

/** Writes to the application's Nest logger under the context `RocketMQ`. */
export class NestLoggerAdapter implements Logger {
  private readonly target = new NestLogger('RocketMQ');

  debug(message: string, fields?: LogFields): void {
    this.target.debug(line(message, fields));
  }

  info(message: string, fields?: LogFields): void {
    this.target.log(line(message, fields));
  }

  warn(message: string, fields?: LogFields): void {
    this.target.warn(line(message, fields));
  }

  error(message: string, fields?: LogFields): void {
    this.target.error(line(message, fields));
  }
}

function line(message: string, fields: LogFields = {}): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(',') : quoted(String(value))}`);
  return pairs.length === 0 ? message : `${message} (${pairs.join(' ')})`;
}

function quoted(text: string): string {
  return /\s/.test(text) ? JSON.stringify(text) : text;
}
