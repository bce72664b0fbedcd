// `nestjs-rocketmq sql`: the statements that create the tables of `nestjs-rocketmq/sql`, as a file for a migration.

import { InvalidArgumentError, Option } from 'commander';
import type { SchemaOptions } from '../sql/schema.js';
import type { DialectName } from '../sql/sql-port.js';
import { type AddCommand, withExamples } from './command.js';

type Values = Pick<
  SchemaOptions,
  'transactionLogTable' | 'inboxTable' | 'outboxTable' | 'scheduleTable' | 'limitTable'
> & {
  readonly dialect: DialectName;
  readonly from: number;
  readonly to?: number;
  readonly breakpoints?: boolean;
};

export const addSqlCommand: AddCommand = (program, io) => {
  const command = program
    .command('sql')
    .description(
      'Prints the SQL that creates the tables of nestjs-rocketmq/sql, for a migration. Connects to nothing. The file does not change when the library is upgraded.',
    )
    .addOption(
      new Option('--dialect <name>', 'the kind of database; mysql is also for MariaDB')
        .choices(['postgresql', 'mysql'] satisfies DialectName[])
        .makeOptionMandatory(),
    )
    .option('--from <version>', 'the version of the tables that are there already; 0: there are none', versionOf, 0)
    .option('--to <version>', 'the version to lead to (default: the newest)', versionOf)
    .option('--transaction-log-table <name>', 'default: rocketmq_transaction_log')
    .option('--inbox-table <name>', 'default: rocketmq_inbox')
    .option('--outbox-table <name>', 'default: rocketmq_outbox')
    .option('--schedule-table <name>', 'default: rocketmq_schedule')
    .option('--limit-table <name>', 'default: rocketmq_limit')
    .option('--breakpoints', 'separate the statements as Drizzle Kit does');
  command.action(async ({ from, to, breakpoints, ...tables }: Values) => {
    const { schemaStatements } = await import('../sql/schema.js');
    const statements = schemaStatements({
      ...tables,
      fromVersion: from,
      ...(to === undefined ? {} : { toVersion: to }),
    });
    io.out(statements.map((statement) => `${statement};\n`).join(breakpoints === true ? BREAKPOINT : ''));
  });
  withExamples(command, [
    ['sql --dialect postgresql', 'the tables for PostgreSQL'],
    ['sql --dialect mysql --breakpoints', 'for MySQL or MariaDB, in a custom migration of Drizzle Kit'],
    ['sql --dialect mysql --from 1', 'what is missing in tables of version 1'],
  ]);
};

const BREAKPOINT = '--> statement-breakpoint\n';

function versionOf(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a version of the tables.');
}
