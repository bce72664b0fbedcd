// `nestjs-rocketmq group pause` and `group resume`: stops and continues a consumer group over all its instances.

import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import type { GroupDescription } from '../admin/groups/groups.js';
import type { GroupPause } from '../protocol/model/group-pause.js';
import { type AccessValues, accessOptions, withAdmin } from './admin-access.js';
import { type CommandIo, withExamples } from './command.js';
import { print } from './output.js';

export function addPause(group: Command, io: CommandIo): void {
  const command = group
    .command('pause')
    .description(
      'Pauses a consumer group over all its instances, until "group resume": the brokers deliver nothing to it, and keep its messages and retries. What its handlers have begun is finished; after 30 seconds at the latest they begin nothing more. A pause outlasts restarts, of brokers and of consumers.',
    )
    .usage('[options] --reason <text> <group>')
    .argument('<group>')
    .requiredOption('--reason <text>', 'why, for those who look for the cause')
    .option('--by <name>', 'who pauses it (default: your user name and host)');
  type Values = AccessValues & { readonly reason: string; readonly by?: string };
  accessOptions(command).action(async (name: string, { reason, by = thisUser(), ...values }: Values) => {
    const { replaced, pause } = await withAdmin(values, io, async (admin) => {
      const before = await admin.describeGroup(name);
      await admin.pauseGroup(name, { reason, by });
      const after = await admin.describeGroup(name);
      return { replaced: before?.pause, pause: after?.pause };
    });
    print(io, values, { consumerGroup: name, replaced, pause }, () => {
      const former = replaced === undefined ? '' : `; it was paused ${pauseText(replaced)}`;
      return `group ${name} is paused ${pauseText(pause ?? { reason, by })}${former}\n`;
    });
  });
  withExamples(command, [['group pause billing --reason maintenance', 'stop all instances of billing']]);
}

export function addResume(group: Command, io: CommandIo): void {
  const command = group
    .command('resume')
    .description('Resumes a paused consumer group. Its consumers receive again within 15 seconds.')
    .argument('<group>');
  accessOptions(command).action(async (name: string, values: AccessValues) => {
    const former = await withAdmin(values, io, async (admin) => {
      const described = await admin.describeGroup(name);
      await admin.resumeGroup(name);
      return described?.pause;
    });
    print(io, values, { consumerGroup: name, wasPaused: former !== undefined }, () =>
      former === undefined
        ? `group ${name} was not paused\n`
        : `group ${name} is resumed; it was paused ${pauseText(former)}\n`,
    );
  });
  withExamples(command, [['group resume billing', 'let its consumers continue']]);
}

/** `since 2026-01-31T12:00:00.000Z by ada: the bank is away`, as far as it is known. */
function pauseText({ reason, by, sinceMs }: Partial<GroupPause>): string {
  const since = sinceMs === undefined ? [] : [`since ${new Date(sinceMs).toISOString()}`];
  const parts = [...since, ...(by === undefined ? [] : [`by ${by}`])].join(' ');
  if (reason === undefined) return `${parts} (the name servers know no reason)`.trim();
  // A line break could look like another field of the group.
  return `${parts}: ${reason.replace(/\s+/g, ' ')}`;
}

/** Undefined when no broker has paused it. */
export function pauseOn({ pause, brokers }: GroupDescription): string | undefined {
  if (pause === undefined) return undefined;
  const open = brokers.filter(({ isPaused }) => !isPaused).map(({ name }) => name);
  return `${pauseText(pause)}${open.length === 0 ? '' : `; not on ${open.join(', ')}`}`;
}

function thisUser(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A container may run under a user without a name.
    return hostname();
  }
}
