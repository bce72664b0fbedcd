import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

/** What the packages for it do, too: the fields of a line are fields in the log. */
export class PinoLogger implements LoggerService {
  constructor(private readonly pino: Logger) {}

  debug(line: unknown, ...others: unknown[]): void {
    this.pino.debug(...entryOf(line, others));
  }

  log(line: unknown, ...others: unknown[]): void {
    this.pino.info(...entryOf(line, others));
  }

  warn(line: unknown, ...others: unknown[]): void {
    this.pino.warn(...entryOf(line, others));
  }

  error(line: unknown, ...others: unknown[]): void {
    this.pino.error(...entryOf(line, others));
  }
}

function entryOf(line: unknown, others: readonly unknown[]): [object, string?] {
  const context = others.at(-1);
  return typeof line === 'object' ? [{ context, ...line }] : [{ context }, String(line)];
}
