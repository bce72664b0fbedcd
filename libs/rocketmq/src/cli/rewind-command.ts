// `nestjs-rocketmq rewind`: moves a consumer group to another position in a topic; without --yes it only prints the move.

import { InvalidArgumentError } from 'commander';
import type { RewindTarget } from '../admin/groups/rewind-target.js';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type AddCommand, CommandRejection, dateOf, withExamples, yesOption } from './command.js';
import { print, table } from './output.js';

type Values = AccessValues & { to: RewindTarget; yes?: boolean };

export const addRewindCommand: AddCommand = (program, io) => {
  const command = program
    .command('rewind')
    .description(
      'Moves a consumer group to an earlier or later position in a topic, even while it is consuming. Moving back redelivers messages; moving forward skips them.',
    )
    .argument('<group>')
    .argument('<topic>')
    .requiredOption(
      '--to <place>',
      'beginning (earliest), end (latest), a time in ISO 8601, or broker:queue:offset',
      targetOf,
    )
    .addOption(yesOption());
  accessOptions(command).action(async (consumerGroup: string, topic: string, values: Values) => {
    const request = { consumerGroup, topic, to: values.to };
    const done = values.yes === true;
    const moves = await withAdmin(values, io, async (admin) => {
      if ((await admin.describeGroup(consumerGroup)) === undefined)
        throw new CommandRejection(
          'CONSUMER_GROUP_NOT_FOUND',
          `group "${consumerGroup}" does not exist; nothing was changed`,
        );
      const planned = await admin.planRewind(request);
      if (!done) return planned;
      const set = await admin.rewindGroup(request);
      return set.map(({ broker, queueId, offset }) => {
        const from = planned.find((one) => one.broker === broker && one.queueId === queueId)?.from;
        return { broker, queueId, from, to: offset };
      });
    });
    print(io, values, { consumerGroup, topic, done, moves }, () => {
      const rows = moves.map(({ broker, queueId, from, to }) => [broker, queueId, from, to, change(from, to)]);
      const end = done
        ? `group ${consumerGroup} was moved in ${topic}; the next receive starts there\n`
        : 'nothing was changed; add --yes to move the group\n';
      return table(['BROKER', 'QUEUE', 'FROM', 'TO', 'MESSAGES'], rows) + end;
    });
  });
  withExamples(command, [
    ['rewind billing orders --to 2026-03-01T12:00:00Z', 'show where the group would continue'],
    ['rewind billing orders --to 2026-03-01T12:00:00Z --yes', 'move it'],
    ['rewind billing orders --to end --yes', 'skip all waiting messages'],
    ['rewind billing orders --to broker-a:3:1200 --yes', 'move it in one queue only'],
  ]);
};

/** Also by the names that other systems have for them. */
const ENDS: ReadonlyMap<string, 'beginning' | 'end'> = new Map([
  ['beginning', 'beginning'],
  ['earliest', 'beginning'],
  ['end', 'end'],
  ['latest', 'end'],
]);

function change(from: number | undefined, to: number): string | undefined {
  if (from === undefined) return undefined;
  if (to === from) return 'unchanged';
  return to < from ? `${from - to} redelivered` : `${to - from} skipped`;
}

function targetOf(text: string): RewindTarget {
  const kind = ENDS.get(text);
  if (kind !== undefined) return { kind };
  const [, broker, queueId, offset] = /^([^:]+):(\d{1,9}):(\d{1,18})$/.exec(text) ?? [];
  if (broker !== undefined && queueId !== undefined && offset !== undefined)
    return { kind: 'offset', broker, queueId: Number(queueId), offset: Number(offset) };
  try {
    return { kind: 'time', time: dateOf(text) };
  } catch {
    throw new InvalidArgumentError(
      'It must be beginning, end, a time like 2026-03-01T12:00:00Z, or broker:queue:offset.',
    );
  }
}
