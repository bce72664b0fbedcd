// `nestjs-rocketmq dlq export` and `dlq import`: their command lines. dead-letter-file.ts has the file.

import type { Command } from 'commander';
import type { ReplayOptions } from '../admin/dead-letters/dead-letter-replay.js';
import type { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { accessOptions, commandOn, withAdmin } from './admin-access.js';
import { type CommandIo, plural, withExamples, wrongCall } from './command.js';
import { type ChoiceValues, choiceOf, choiceOptions, scopeOf, subjectOf } from './dead-letter-choice.js';
import { PlanTotal, printPlan, ReplayTotal, type SendValues, sendOptions } from './dead-letter-replay-command.js';
import { print, reportFailures } from './output.js';
import { withSignals } from './until-stopped.js';

type ExportValues = ChoiceValues & { after?: string };

export function addExport(dlq: Command, io: CommandIo): void {
  const command = dlq
    .command('export')
    .description(
      'Writes dead letters into a new file, with their bodies: a line of JSON for each, with all that dlq import needs to send it later or on another cluster. With --operations-topic, each with its reason. The last line says whether the file is complete, or where to continue and who did not answer.',
    )
    .usage('[options] <group>|--all-groups <file>')
    .argument('[group]')
    .argument('[file]')
    .option(
      '--after <position>',
      'begin at this position: next of the last line of a file, or position of any line; with --all-groups, after its group and a slash',
    );
  accessOptions(choiceOptions(command)).action(
    async (first: string | undefined, second: string | undefined, values: ExportValues) => {
      const { group, file } = argumentsOf(first, second, values);
      const { exportTo } = await import('./dead-letter-file.js');
      const { after, operationsTopic } = values;
      const { count, next, failures } = await withAdmin(values, io, async (admin) => {
        const scope = await scopeOf(admin, group, values);
        const choice = await choiceOf(admin, values);
        return exportTo(file, { admin, scope, choice, after, operationsTopic }, io);
      });
      print(io, values, { ...subjectOf(group), file, exported: count, next, failures }, () => {
        return `${plural(count, 'dead letter')} in ${file}\n`;
      });
      reportFailures(io, failures);
      if (next === undefined) return;
      const rest = commandOn(values, 'dlq', 'export', group ?? '--all-groups', 'FILE', '--after', next);
      io.warn(`${file} is full; write the rest into another file: ${rest}`);
      io.fail();
    },
  );
  withExamples(command, [
    ['dlq export billing billing.jsonl', 'all of them'],
    ['dlq export --all-groups all.jsonl', 'those of all groups'],
    ['dlq export billing cards.jsonl --error CardError --operations-topic operations', 'those of one kind of error'],
  ]);
}

/** @throws UsageError */
function argumentsOf(
  first: string | undefined,
  second: string | undefined,
  { allGroups = false }: ExportValues,
): { readonly group: string | undefined; readonly file: string } {
  const [group, file, more] = allGroups ? [undefined, first, second] : [first, second];
  if (file !== undefined && more === undefined) return { group, file };
  throw wrongCall('name a group and a file, or a file alone with --all-groups');
}

export function addImport(dlq: Command, io: CommandIo): void {
  const command = dlq
    .command('import')
    .description(
      'Sends the dead letters in a file of dlq export to their topics, as dlq replay does: those that were already replayed are skipped. A line that is wrong is named, and nothing is sent.',
    )
    .argument('<file>');
  accessOptions(sendOptions(command)).action(async (file: string, values: SendValues) => {
    const { checkFile, lotsIn } = await import('./dead-letter-file.js');
    const { again = false, onlyThisGroup = false, yes } = values;
    const total = new ReplayTotal(io, values, { file });
    const plan = new PlanTotal();
    type Options = ReplayOptions & { readonly signal: AbortSignal };
    type Each = (admin: RocketMQAdmin, group: string, options: Options) => Promise<unknown>;
    const eachLot = (signal: AbortSignal, each: Each): Promise<void> =>
      withAdmin(values, io, async (admin) => {
        for await (const { group, exported } of lotsIn(file))
          await each(admin, group, { exported, again, onlyThisGroup, signal });
      });
    await withSignals(async (signal) => {
      await total.before(signal, async () => {
        const stoppedAfter = await checkFile(file, signal);
        if (stoppedAfter !== undefined) io.warn(`${file} is not complete: its export ended ${stoppedAfter}`);
        if (yes === true) return;
        await eachLot(signal, async (admin, group, options) => plan.add(await admin.planReplay(group, options)));
      });
      if (yes === true) await eachLot(signal, (admin, group, options) => total.added(admin, group, options));
    });
    if (yes === true) total.print();
    else printPlan(io, values, plan, { file }, () => '');
  });
  withExamples(command, [
    ['dlq import billing.jsonl', 'show what would be sent'],
    ['dlq import billing.jsonl --only-this-group --yes', 'send it, to the group that failed alone'],
  ]);
}
