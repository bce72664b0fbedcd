// What an error of a database or its driver means for a command: whether anything took effect, whether to try again, and what to do.

import type { Deadline } from '../support/deadline.js';
import {
  MAY_HAVE_TAKEN_EFFECT,
  NOTHING_TOOK_EFFECT,
  RocketMQError,
  StateError,
  TransportError,
} from '../support/errors.js';
import { describeError } from '../support/logger.js';
import { CommandError, CommandRejection } from './command.js';
import { URL_OPTION } from './database-url.js';

/** What errors of `pg` and `mysql2` have: a severity for what PostgreSQL answers, a state and a number for what MySQL does; a system call for what the system says. */
interface DriverError {
  readonly severity?: unknown;
  readonly code?: unknown;
  readonly sqlState?: unknown;
  readonly errno?: unknown;
  readonly syscall?: unknown;
  readonly message?: unknown;
}

type Kind =
  | 'connection'
  | 'busy'
  | 'tls'
  | 'denied'
  | 'no-database'
  | 'denied-database'
  | 'no-table'
  | 'parameter'
  | 'other';

/** By numbers of MySQL and MariaDB, many of which have the state of "other", HY000. */
const NUMBERS: ReadonlyMap<number, Kind> = new Map<number, Kind>([
  // No room for another connection, memory, disk, a statement that was killed, a server that is offline.
  ...[1021, 1037, 1040, 1041, 1203, 1205, 1213, 1226, 1317, 1927, 3032, 3572].map((one) => [one, 'busy'] as const),
  // A client that was idle for too long.
  [4031, 'connection'],
  // Of a user without any right to it, MySQL and MariaDB do not say whether the database exists.
  [1044, 'denied-database'],
  ...[1045, 1130, 1142, 1143, 1227, 1251, 1370, 1524, 1698, 1820, 1862, 3118, 3955, 4151].map(
    (one) => [one, 'denied'] as const,
  ),
  [3159, 'tls'],
  [1049, 'no-database'],
  [1146, 'no-table'],
]);

/** By states of the SQL standard and of PostgreSQL. */
const STATES: readonly (readonly [RegExp, Kind])[] = [
  // No connection, no room for one, a server that starts or stops.
  [/^(08|57P)/, 'connection'],
  // Also a statement that was canceled, such as one that waited for a lock.
  [/^(40|53|55P03|57014)/, 'busy'],
  [/^(28|42501)/, 'denied'],
  [/^3D000/, 'no-database'],
  [/^(42P01|3F000)/, 'no-table'],
  [/^(22023|42704)/, 'parameter'],
];

/** Codes of Node.js and of `mysql2` for a certificate that is not trusted, and for servers without TLS. */
const TLS_CODES =
  /^(ERR_(TLS|SSL)_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HANDSHAKE_NO_SSL_SUPPORT|HANDSHAKE_SSL_ERROR|EPROTO)/;
const CUT = /^Connection terminated|PROTOCOL_CONNECTION_LOST|disconnected before secure TLS|closed state|not queryable/;

/** @param isOpen whether the connection was open, where an error without a sign of its own is about the connection */
function kindOf(error: unknown, isOpen: boolean): Kind {
  const { severity, code, sqlState, errno, syscall, message } = Object(error) as DriverError;
  if (severity !== undefined || sqlState !== undefined) {
    const state = String(sqlState ?? code);
    return NUMBERS.get(Number(errno)) ?? STATES.find(([pattern]) => pattern.test(state))?.[1] ?? 'other';
  }
  const text = String(message);
  if (syscall !== undefined || CUT.test(`${code}`) || CUT.test(text)) return 'connection';
  if (TLS_CODES.test(String(code)) || /does not support SSL/.test(text)) return 'tls';
  // What drivers say of a password that the server does not take, or of a way to prove it.
  if (/^SASL|^AUTH_SWITCH|^MYSQL_CLEAR_PASSWORD/.test(`${code ?? text}`)) return 'denied';
  return isOpen ? 'connection' : 'other';
}

/** Whether Node.js rejects what a driver made of a parameter of the URL, and may quote it. A server that is something else gets the driver to read outside of a buffer instead. */
export function isOfArgument(error: unknown): boolean {
  const { name, code } = Object(error) as { readonly name?: unknown; readonly code?: unknown };
  return /^(Type|Range)Error$/.test(String(name)) && /^ERR_(INVALID_|TLS_|SOCKET_BAD_PORT)/.test(String(code));
}

/** The transaction that failed. */
interface FailedWork {
  /** The name in the URL. */
  readonly database: string | undefined;
  /** Whether the connection was open. */
  readonly isOpen: boolean;
  /** What to do when it is unknown whether the transaction was committed. */
  readonly whenUnknown: string | undefined;
}

const WHEN_NOT_REACHED = `check that the database runs and can be reached, and the URL in ${URL_OPTION}`;
const WHEN_HELD = 'another transaction may hold the entry: try again';

/** The error to throw for one of a driver or of the library, with what it means for the work and what to do. */
export function explained(error: unknown, deadline: Deadline, work: FailedWork): unknown {
  const { isOpen, whenUnknown } = work;
  const isUnknown = deadline.mayHaveTakenEffect;
  const cure = isUnknown ? `; ${whenUnknown}` : '';
  if (RocketMQError.is(error)) {
    if (error.code === 'TABLE_NOT_READY')
      error.message +=
        '. If the application has it elsewhere, name that with --schedule-table or the URL of the database';
    if (error.code === 'DEADLINE_EXCEEDED')
      error.message += isUnknown ? cure : `; ${isOpen ? WHEN_HELD : WHEN_NOT_REACHED}, or increase --timeout`;
    return error;
  }
  // A host can have several addresses.
  const { errors } = Object(error) as { readonly errors?: unknown };
  const each: readonly unknown[] = Array.isArray(errors) && errors.length > 0 ? errors : [error];
  const why = each.map(describeError).join(', ');
  const options = { cause: error };
  if (isUnknown) {
    const text = `the database failed at the commit: ${why}; ${MAY_HAVE_TAKEN_EFFECT}${cure}`;
    return new TransportError('UNAVAILABLE', text, 'unknown', true, options);
  }
  const kind = kindOf(each[0], isOpen);
  const database =
    work.database === undefined ? 'the database of the user (the URL names none)' : `database "${work.database}"`;
  const rejected = isOpen ? 'the database rejected it' : 'cannot connect to the database';
  const said = (advice: string, what = rejected): string => `${what}: ${why}; ${NOTHING_TOOK_EFFECT}; ${advice}`;
  switch (kind) {
    case 'connection':
    case 'busy': {
      const what = kind === 'busy' || !isOpen ? rejected : 'the connection to the database failed';
      const advice = isOpen || kind === 'busy' ? 'try again' : `check that it runs, and the URL in ${URL_OPTION}`;
      return new TransportError('UNAVAILABLE', said(advice, what), 'not-sent', true, options);
    }
    case 'tls': {
      const advice = `check the certificates, and sslmode (pg 8 takes "require" for "verify-full") or ssl in the URL of ${URL_OPTION}`;
      return new TransportError('TLS_FAILED', said(advice), 'not-sent', false, options);
    }
    case 'denied': {
      const advice = isOpen
        ? `grant it to the user in ${database}`
        : `check user and password, and what the user may do in ${database}`;
      return new CommandRejection('UNAUTHORIZED', said(`${advice}, or use another in ${URL_OPTION}`), options);
    }
    case 'denied-database': {
      const advice = `${database} does not exist, or the user has no right to it: check its name in ${URL_OPTION}, or grant the user rights to it`;
      return new CommandRejection('UNAUTHORIZED', said(advice), options);
    }
    case 'no-database': {
      const advice = `${database} does not exist: check its name in ${URL_OPTION}, or create it`;
      return new CommandRejection('NOT_FOUND', said(advice), options);
    }
    case 'no-table':
      return new StateError('TABLE_NOT_READY', said('check --schedule-table and the migrations'), options);
    case 'parameter':
      if (!isOpen)
        return new CommandRejection('INVALID_PARAMETER', said(`check what the URL in ${URL_OPTION} sets`), options);
      break;
    default:
  }
  if (isOpen)
    return new CommandError(`${rejected}: ${why}; ${NOTHING_TOOK_EFFECT}`, { outcome: 'rejected', ...options });
  return new CommandError(said(`check what is there, and the URL in ${URL_OPTION}`), options);
}
