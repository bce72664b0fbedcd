// The port through which the library logs. It writes nothing by itself.

/** The fields of a log line. Never a message body, never a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go. The library never closes it. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Drops everything; the default when no logger is given. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Wraps a logger so that its errors are ignored: a line that cannot be written must not stop the work it describes. */
export function unfailing(logger: Logger): Logger {
  const write =
    (level: keyof Logger) =>
    (message: string, fields?: LogFields): void => {
      try {
        logger[level](message, fields);
      } catch {
        // There is nowhere left to report it.
      }
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** Escapes control characters, so that a string from outside cannot control the terminal that it is printed on. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches control characters on purpose
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** An error as a string for a log line: its message, or the thrown value if it is not an Error. */
export function describeError(error: unknown): string {
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return `non-error thrown: ${typeof error === 'object' ? Object.prototype.toString.call(error) : String(error)}`;
}
