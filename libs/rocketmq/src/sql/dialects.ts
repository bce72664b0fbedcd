// The dialect of a database.

import type { Dialect } from './dialect.js';
import { mysql } from './mysql/mysql.js';
import { postgresql } from './postgresql/postgresql.js';
import type { DialectName } from './sql-port.js';

const DIALECTS: Readonly<Record<DialectName, Dialect>> = { postgresql, mysql };

/** The dialect of a database: that of its port, PostgreSQL without one. */
export function dialectOf({ dialect = 'postgresql' }: { readonly dialect?: DialectName | undefined }): Dialect {
  return DIALECTS[dialect];
}
