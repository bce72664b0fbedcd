// Pauses a consumer group over all its instances, and shows that it is paused.

import type { GroupPause } from '../group-types.js';
import { plural } from '../lib/format.js';
import { type FormProps, openChange } from '../ui/change.js';
import { Time } from '../ui/parts.js';

const MAX_REASON = 500;

interface Wanted {
  readonly reason: string;
}

interface Affected {
  readonly pause?: GroupPause;
  readonly consumers: number;
}

/** @param isPaused whether it is now */
export function openGroupPause(consumerGroup: string, isPaused: boolean): void {
  const body = { action: 'pause', consumerGroup, change: isPaused ? 'resume' : 'pause' };
  if (isPaused) {
    openChange<Record<string, never>, Affected>({
      title: `Resume ${consumerGroup}`,
      form: {},
      body: () => body,
      preview: ({ pause, consumers }) => (
        <p>
          {pause === undefined ? 'It is not paused any more. ' : 'Its messages and retries are delivered again. '}
          <strong>All instances</strong>: {plural(consumers, 'consumer')} connected.
        </p>
      ),
      confirm: ({ pause }) => (pause === undefined ? undefined : 'Resume the group'),
    });
    return;
  }
  openChange<Wanted, Affected>({
    title: `Pause ${consumerGroup}`,
    form: { reason: '' },
    Form: PauseForm,
    reasonOf: ({ reason }) => reason,
    body: ({ reason }) => (reason.trim() === '' ? undefined : { ...body, reason: reason.trim() }),
    preview: ({ pause, consumers }) => (
      <p>
        {pause !== undefined &&
          `It is paused already: ${pause.reason ?? 'nobody has left a reason'}. Yours replaces it. `}
        Nothing is delivered to it until it is resumed; what its handlers have begun is finished.{' '}
        <strong>All instances</strong>, also those that start later: {plural(consumers, 'consumer')} connected.
      </p>
    ),
    confirm: () => 'Pause the group',
  });
}

export function PauseForm({ form, set }: FormProps<Wanted>) {
  return (
    <label class="field wide">
      <span>Why, for everybody who looks for the cause</span>
      <input
        maxLength={MAX_REASON}
        value={form.reason}
        onInput={({ currentTarget: { value } }) => set({ reason: value })}
      />
    </label>
  );
}

export function PausedNotice({ pause, brokers }: { readonly pause: GroupPause; readonly brokers: readonly string[] }) {
  const { reason, by, sinceMs } = pause;
  return (
    <div class="notice" role="status">
      <span>
        <strong>This group is paused</strong>
        {reason === undefined ? ', and nobody has left a reason.' : `: ${reason}`}
        {by !== undefined && ` (${by}`}
        {by !== undefined && sinceMs !== undefined && ', '}
        {by !== undefined && sinceMs !== undefined && <Time ms={sinceMs} isRelative />}
        {by !== undefined && ')'}
        {brokers.length > 0 && ` Not on ${brokers.join(', ')}.`}
      </span>
    </div>
  );
}
