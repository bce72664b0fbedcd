// `nestjs-rocketmq failure`: the failures of handlers that applications keep in a topic.

import { Option } from 'commander';
import { type AccessValues, accessOptions, commandOn, withAdmin } from './admin-access.js';
import { type AddCommand, assertGroupExists, countOf, dateOf, plural, withExamples } from './command.js';
import { print, reportFailures } from './output.js';

type ListValues = AccessValues & {
  operationsTopic: string;
  id?: string;
  each?: boolean;
  from?: Date;
  to?: Date;
  limit: number;
};

/** The option of the commands that read what applications keep for operators. */
export function operationsTopicOption(): Option {
  const text = 'the topic of the module option operations, by its name on the cluster';
  return new Option('--operations-topic <topic>', text).env('ROCKETMQ_OPERATIONS_TOPIC');
}

export const addFailureCommand: AddCommand = (program, io) => {
  const failure = program
    .command('failure')
    .description('Shows the failures of handlers, in every instance, that the module option operations keeps.');
  withExamples(failure, [['failure list billing --operations-topic operations', 'what the handlers of a group threw']]);
  const command = failure
    .command('list')
    .description(
      'Shows the latest failures of a consumer group, or of all: by error, the most frequent first, with the latest text and stack.',
    )
    .argument('[group]')
    .addOption(operationsTopicOption().makeOptionMandatory())
    .option('--id <id>', 'only those of the message with this id')
    .option('--each', 'list each failure, the newest first')
    .option('--from <time>', 'kept at this time or later', dateOf)
    .option('--to <time>', 'kept at this time or earlier', dateOf)
    .option('--limit <count>', 'how many of the newest failures to read, up to 10000', countOf, 500);
  accessOptions(command).action(async (group: string | undefined, values: ListValues) => {
    const { operationsTopic, id: messageId, each, from, to, limit } = values;
    const { errorText, failureTable } = await import('./failure-records.js');
    const { failuresByError } = await import('../admin/messages/kept-failures.js');
    const { records, ...others } = await withAdmin(values, io, async (admin) => {
      const read = await admin.listFailures(operationsTopic, { consumerGroup: group, messageId, from, to, limit });
      if (group !== undefined && read.records.length === 0 && read.failures.length === 0)
        await assertGroupExists(admin, group, commandOn(values, 'group', 'list'));
      return read;
    });
    const errors = failuresByError(records);
    const older = others.mayBeMore ? '; there may be older ones: increase --limit, or set --to' : '';
    const count = `${plural(records.length, 'failure')}${older}\n`;
    print(io, values, each === true ? { records, ...others } : { errors, ...others }, () =>
      each === true
        ? `${failureTable(records)}${count}`
        : `${errors.map((one) => `${errorText(one)}\n`).join('')}${count}`,
    );
    reportFailures(io, others.failures);
  });
  withExamples(command, [
    ['failure list billing --operations-topic operations', 'by error, with the latest stack of each'],
    ['failure list --operations-topic operations --from 2026-03-01T12:00:00Z', 'of all groups, since noon'],
    ['failure list billing --operations-topic operations --each --json', 'each failure, as JSON'],
  ]);
};
