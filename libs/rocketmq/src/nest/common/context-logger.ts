// A logger whose lines say which message they are about.

import type { LogFields, Logger } from '../../support/logger.js';

/** Writes to `logger` and adds the fields to those of each line. */
export function loggerWith(logger: Logger, fields: () => LogFields): Logger {
  const write =
    (level: keyof Logger): Logger['info'] =>
    (message, own) =>
      logger[level](message, { ...own, ...fields() });
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
