// The port through which the library speaks to whoever operates it. It writes nowhere by itself.

/** Details of a log line. Never a message body, never a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go. The library never closes it. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Drops everything; the default where no logger is given. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** The same logger, but what it throws is lost: a line that cannot be written must not stop the work that it tells of. */
export function unfailing(logger: Logger): Logger {
  const write =
    (level: keyof Logger) =>
    (message: string, fields?: LogFields): void => {
      try {
        logger[level](message, fields);
      } catch {
        // There is nobody left to tell.
      }
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** What comes from elsewhere must not steer the terminal that it is printed on: control characters are shown, not sent. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** An error for a log line: its message, or what was thrown instead of an error. */
export function describeError(error: unknown): string {
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return `non-error thrown: ${typeof error === 'object' ? Object.prototype.toString.call(error) : String(error)}`;
}
