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

/** Registered, because ESM and CommonJS may both be loaded. */
export const LOG_TO = Symbol.for('nestjs-rocketmq.logTo');

/** What an application gives its logger to if it was created without one. */
export interface LateLogger {
  [LOG_TO](logger: Logger): void;
}

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

/**
 * An error as a string for a log line: its message with the reasons that a validation has added, or the thrown value if it is not an
 * Error. Never throws: getters and proxies of the application may.
 */
export function describeError(error: unknown): string {
  try {
    return described(error);
  } catch {
    return 'an error that cannot be described';
  }
}

function described(error: unknown): string {
  if (error instanceof Error) {
    const text = String(error.message || error.name);
    const reasons = reasonsIn(error);
    return reasons.length === 0 ? text : `${text}: ${reasonsText(reasons)}`;
  }
  if (typeof error !== 'object') return `non-error thrown: ${String(error)}`;
  const { message } = Object(error) as { readonly message?: unknown };
  return `non-error thrown: ${typeof message === 'string' ? message : Object.prototype.toString.call(error)}`;
}

/** For a log line: most loggers escape line breaks, and a command with `\n` in it cannot be copied. */
export function describeOnOneLine(error: unknown): string {
  return describeError(error).trim().replace(/\n+/g, ' ');
}

/** What may be logged of an error of a vault, whose message may contain a secret: `TypeError`, or `Error, code ECONNREFUSED`. */
export function nameAndCode(error: unknown): string {
  const [name, code] = [part(error, 'name'), part(error, 'code')].map((one) =>
    typeof one === 'string' && /^\w{1,40}$/.test(one) ? one : undefined,
  );
  return `${name ?? 'an error'}${code === undefined ? '' : `, code ${code}`}; its message may contain a secret, so it is in \`cause\` only`;
}

const MAX_REASONS = 5;
const REASON_LENGTH = 200;
/** A validation of a long list can have a reason for each of its elements. */
const MAX_READ = 1_000;

/** The first few reasons of a rejection, each shortened: some repeat names of fields from a received message. */
export function reasonsText(reasons: readonly string[]): string {
  const shown = reasons
    .slice(0, MAX_REASONS)
    .map((one) => (one.length > REASON_LENGTH ? `${one.slice(0, REASON_LENGTH)}…` : one));
  const rest = reasons.length - shown.length;
  return rest > 0 ? `${shown.join('; ')}; and ${rest} more` : shown.join('; ');
}

/**
 * What exceptions of validations have in the place of a message: Nest's in `response`, or in `error` for microservices; there it is a list, or
 * stands in `message`, `errors` or `issues`.
 */
function reasonsIn(error: object): string[] {
  const { response, error: given } = error as { readonly response?: unknown; readonly error?: unknown };
  const candidates = [response, given].flatMap((one) => [
    part(one, 'message'),
    part(one, 'errors'),
    part(one, 'issues'),
    one,
  ]);
  return candidates.map((one) => reasonsOf(one)).find((one) => one.length > 0) ?? [];
}

function part(value: unknown, name: string): unknown {
  return (value as Readonly<Record<string, unknown>> | null | undefined)?.[name];
}

/** The depth of nested objects to which a validation's reasons are read. */
const MAX_DEPTH = 8;

/** Strings, errors of class-validator, and issues of schemas. What else is in a list is not known to be a reason, and may be contents of a message. */
function reasonsOf(value: unknown, parents = '', depth = 0): string[] {
  if (!Array.isArray(value) || depth > MAX_DEPTH) return [];
  return value.slice(0, MAX_READ).flatMap((one: unknown) => {
    if (typeof one === 'string') return [one];
    const [property, constraints, message] = [part(one, 'property'), part(one, 'constraints'), part(one, 'message')];
    if (typeof property !== 'string') return typeof message === 'string' ? [issueText(part(one, 'path'), message)] : [];
    const own = Object.values(constraints ?? {}).filter((text) => typeof text === 'string');
    return [
      ...own.map((text) => `${parents}${text}`),
      ...reasonsOf(part(one, 'children'), `${parents}${property}.`, depth + 1),
    ];
  });
}

/** An issue of a schema: `items.0.quantity: expected a number`. Its path has keys, or the segments of Standard Schema. */
export function issueText(path: unknown, message: string): string {
  const segments: readonly unknown[] = Array.isArray(path) ? path : [];
  const keys = segments.map((segment) => part(segment, 'key') ?? segment);
  const where = keys.map((key) => (typeof key === 'object' ? '?' : String(key))).join('.');
  return where === '' ? message : `${where}: ${message}`;
}
