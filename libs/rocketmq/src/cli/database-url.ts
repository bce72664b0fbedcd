// The URL of the application's database. No error here quotes a part of it: a part may be a password, or a key in the parameter "ssl".

import type { UsageError } from '../support/errors.js';
import { wrongCall } from './command.js';

export interface DatabaseUrl {
  readonly text: string;
  readonly isOfPostgres: boolean;
  /** The name of the database; undefined if the URL has none. */
  readonly database: string | undefined;
}

export const URL_OPTION = '--database-url or DATABASE_URL';
const THE_URL = `the URL of the database, in ${URL_OPTION},`;

/** @throws UsageError for what no driver can read */
export function databaseUrlOf(text: string | undefined): DatabaseUrl {
  if (text === undefined || text === '')
    throw wrongCall('the database is not given; set DATABASE_URL in the environment, or add --database-url');
  const scheme = /^(postgres(?:ql)?|mysql|mariadb):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined)
    throw wrongCall(`${THE_URL} must begin with postgres://, postgresql://, mysql:// or mariadb://`);
  // Otherwise a part of a password could be taken for a host or a name, which errors quote.
  const [, rest = ''] = /^[^:]+:\/\/[^/?#]*(.*)$/su.exec(text) ?? [];
  if (!URL.canParse(text) || /[#@]/.test(rest))
    throw wrongCall(
      `${THE_URL} cannot be read; characters such as : / ? # @ in a user or password must be percent-encoded`,
    );
  const name = new URL(text).pathname.slice(1);
  const database = name === '' ? undefined : (decoded(name) ?? name);
  return { text, isOfPostgres: scheme.startsWith('postgres'), database };
}

/** The error for a URL that a driver cannot read. What the driver says about it is not in it, because that may quote a value. */
export function unreadable({ text }: DatabaseUrl, driver: string, cause: unknown): UsageError {
  const { code } = Object(cause) as { readonly code?: unknown };
  const why = code === undefined ? '' : ` (${code})`;
  return wrongCall(
    `${THE_URL} cannot be used: the package ${driver} cannot read ${partOf(text, cause)}${why}; correct it`,
  );
}

/** Which part of the URL an error of a driver is about. */
function partOf(text: string, cause: unknown): string {
  const { username, password, pathname, searchParams } = new URL(text);
  const encoded = { user: username, password, 'name of the database': pathname };
  for (const [part, value] of Object.entries(encoded)) if (decoded(value) === undefined) return `its ${part}`;
  const names = [...new Set(searchParams.keys())];
  // Drivers name a parameter, or quote its value.
  const said = String((Object(cause) as Partial<Error>).message).toLowerCase();
  const named = names.filter((name) => said.split(/\W+/).includes(name.toLowerCase()));
  const quoted = names.filter((name) =>
    searchParams.getAll(name).some((value) => value !== '' && said.includes(value.toLowerCase())),
  );
  const suspects = [named, quoted, names].find(({ length }) => length > 0) ?? [];
  if (suspects.length === 0) return 'a part of it';
  return suspects.length === 1 ? `its parameter ${suspects[0]}` : `one of its parameters ${suspects.join(', ')}`;
}

/** undefined for what is not percent-encoded UTF-8. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
