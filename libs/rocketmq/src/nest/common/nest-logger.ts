// Writes the library's log lines to Nest's logger: one line of text for consoles, fields for structured loggers.

import { Logger as NestLogger } from '@nestjs/common';
import { type LogFields, type Logger, visible } from '../../support/logger.js';

/** The method by which Node.js asks an object for its text, as Nest's console logger does from 11 on. */
const INSPECTED = Symbol.for('nodejs.util.inspect.custom');

/**
 * A log message and its fields. Structured loggers (nestjs-pino, nest-winston, Nest's own with `json: true`) read the fields;
 * as a string it is the whole line.
 */
class LogLine {
  readonly msg: string;
  readonly #text: string;

  constructor(message: string, fields: LogFields) {
    this.#text = oneLine(lineOf(message, fields));
    // Defined, not assigned: a field may have the name of one of this class's own members.
    const own = { enumerable: true, configurable: true, writable: true };
    for (const [name, value] of Object.entries(fields)) {
      Object.defineProperty(this, name, { ...own, value: shown(value) });
    }
    this.msg = oneLine(message);
  }

  /** nest-winston's name for `msg`. Not enumerable, so that no logger writes both. */
  get message(): string {
    return this.msg;
  }

  toString(): string {
    return this.#text;
  }

  [INSPECTED](): string {
    return this.#text;
  }
}

/** Writes to the application's Nest logger under the context `RocketMQ`. */
export class NestLoggerAdapter implements Logger {
  private readonly target = new NestLogger('RocketMQ');

  debug(message: string, fields?: LogFields): void {
    this.target.debug(entryOf(message, fields));
  }

  info(message: string, fields?: LogFields): void {
    this.target.log(entryOf(message, fields));
  }

  warn(message: string, fields?: LogFields): void {
    this.target.warn(entryOf(message, fields));
  }

  error(message: string, fields?: LogFields): void {
    this.target.error(entryOf(message, fields));
  }
}

/** A plain string where there are no fields. */
function entryOf(message: string, given: LogFields = {}): string | LogLine {
  const present = Object.entries(given).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return present.length === 0 ? oneLine(message) : new LogLine(message, Object.fromEntries(present));
}

function lineOf(message: string, fields: LogFields): string {
  const pairs = Object.entries(fields).map(([name, value]) => {
    return `${name}=${Array.isArray(value) ? value.join(',') : quoted(String(value))}`;
  });
  return `${message} (${pairs.join(' ')})`;
}

/** The value may contain text of a server: it must not look like a line of its own, or control the terminal. */
function oneLine(text: string): string {
  return visible(text).replaceAll('\n', '\\n');
}

function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  return typeof value === 'string' ? visible(value) : value;
}

function quoted(text: string): string {
  return /\s/.test(text) ? JSON.stringify(text) : text;
}
