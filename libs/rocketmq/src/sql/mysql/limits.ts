// The limits on MySQL.

import type { LimitRow, LimitStatements } from '../dialect.js';
import { storedLimitOf } from '../rows.js';
import { isDuplicate } from '../sql-errors.js';
import { runAlone, type SqlDatabase } from '../sql-port.js';
import { quoted } from '../table-name.js';
import { affectedRows, hexOf, textOf } from './statements.js';

export const limits: LimitStatements = { read, write };

async function read(database: SqlDatabase, table: string, key: string): Promise<LimitRow> {
  const text =
    "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000 AS `nowMs`, `t`.`version` AS `version`, `t`.`state` AS `state` " +
    `FROM (SELECT 1 AS \`one\`) \`n\` LEFT JOIN ${quoted(table, '`')} \`t\` ON \`t\`.\`key\` = UNHEX(?)`;
  const { state, ...row } = storedLimitOf((await runAlone(database, text, [hexOf(key)])).rows);
  return { ...row, state: state === undefined ? undefined : textOf(state) };
}

async function write(
  database: SqlDatabase,
  name: string,
  key: string,
  { version, state }: { readonly version: number; readonly state: string },
): Promise<boolean> {
  const table = quoted(name, '`');
  try {
    return await database.transaction(async (tx) => {
      if (version === 0) {
        const text = `INSERT INTO ${table} (\`key\`, \`version\`, \`state\`) VALUES (UNHEX(?), 1, UNHEX(?))`;
        await tx.query(text, [hexOf(key), hexOf(state)]);
        return true;
      }
      const text = `UPDATE ${table} SET \`version\` = \`version\` + 1, \`state\` = UNHEX(?) WHERE \`key\` = UNHEX(?) AND \`version\` = ${version}`;
      await tx.query(text, [hexOf(state), hexOf(key)]);
      return (await affectedRows(tx)) > 0;
    });
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}
