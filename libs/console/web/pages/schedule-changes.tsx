// What can be done to an entry of the schedule.

import type { ComponentChildren } from 'preact';
import { openChange } from '../ui/change.js';
import { Facts, Time } from '../ui/parts.js';
import { PauseForm } from './group-pause.js';

/** An entry that waits. */
export interface Scheduled {
  readonly key: string;
  readonly topic: string;
  readonly messageGroup?: string;
  /** While it is paused, when it would be due. */
  readonly dueAtMs: number;
  readonly cron?: string;
  readonly timeZone?: string;
  readonly lastTickAtMs?: number;
  readonly paused?: { readonly sinceMs: number; readonly reason: string };
}

type Kind = 'run' | 'pause' | 'resume' | 'cancel';

interface Planned {
  readonly entry: Scheduled;
}

interface Texts {
  readonly title: string;
  readonly confirm: string;
  /** What happens, by what is planned. */
  readonly effect: (entry: Scheduled) => ComponentChildren;
}

const TEXTS: Readonly<Record<Kind, Texts>> = {
  run: {
    title: 'Run now',
    confirm: 'Send it now',
    effect: ({ cron, paused }) => {
      if (cron === undefined) return 'A relay sends its message at its next poll. The entry is then gone.';
      return `A relay sends one message at its next poll. ${paused === undefined ? 'The next tick stays.' : 'The entry stays paused.'}`;
    },
  },
  pause: {
    title: 'Pause',
    confirm: 'Pause the entry',
    effect: ({ cron }) =>
      cron === undefined
        ? 'It is not sent until it is resumed: at its time, or at once if that has passed. Setting it again does not resume it.'
        : 'It has no ticks until it is resumed; they are left out. Setting it again does not resume it.',
  },
  resume: {
    title: 'Resume',
    confirm: 'Resume the entry',
    effect: ({ cron }) =>
      cron === undefined
        ? 'It is sent at its time, or at once if that has passed.'
        : 'It goes on with its next tick. Those of the pause are left out.',
  },
  cancel: {
    title: 'Cancel',
    confirm: 'Cancel the entry',
    effect: ({ cron }) =>
      cron === undefined
        ? 'Its message is not sent. What is canceled cannot be brought back.'
        : 'It has no more ticks, unless the application sets it again, as many do at each start. To keep it from running, pause it.',
  },
};

export function openScheduleChange({ key }: Scheduled, change: Kind): void {
  const { title, confirm, effect } = TEXTS[change];
  const body = { action: 'schedule', key, change };
  const preview = ({ entry }: Planned) => (
    <>
      <About entry={entry} />
      <p>{effect(entry)}</p>
    </>
  );
  const common = { title: `${title}: ${key}`, preview, confirm: () => confirm, isDangerous: change === 'cancel' };
  if (change !== 'pause') {
    openChange<object, Planned>({ ...common, form: {}, body: () => body });
    return;
  }
  openChange<{ readonly reason: string }, Planned>({
    ...common,
    form: { reason: '' },
    Form: PauseForm,
    reasonOf: ({ reason }) => reason,
    body: ({ reason }) => (reason.trim() === '' ? undefined : { ...body, reason: reason.trim() }),
  });
}

function About({ entry: { topic, dueAtMs, cron, timeZone, paused } }: { readonly entry: Scheduled }) {
  return (
    <Facts
      facts={[
        ['Topic', topic],
        [paused === undefined ? 'Due' : 'Would be due', <Time ms={dueAtMs} isCoarse />],
        ...(cron === undefined ? [] : [['Repeats', `${cron}, ${timeZone}`] as const]),
        ...(paused === undefined ? [] : [['Paused', paused.reason, <Time ms={paused.sinceMs} isRelative />] as const]),
      ]}
    />
  );
}
