// DATABASE_URL: which kind of database it is. Its value is in no message, since it may contain a password.

import { ConfigurationError } from './environment.js';
import type { SqlFlavor } from './opened-database.js';

const FLAVORS: Readonly<Record<string, SqlFlavor>> = {
  'postgres:': 'postgresql',
  'postgresql:': 'postgresql',
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
};

/** @throws ConfigurationError */
export function flavorOf(url: string): SqlFlavor {
  const flavor = URL.canParse(url) ? FLAVORS[new URL(url).protocol] : undefined;
  if (flavor !== undefined) return flavor;
  throw new ConfigurationError(
    'DATABASE_URL must be postgres://…, mysql://… or mariadb://…, such as mysql://user:password@host:3306/database, with special ' +
      'characters of the password percent-encoded; its value is not shown, because it may contain a password',
  );
}
