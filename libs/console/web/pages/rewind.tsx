// Moves the position of a group, after showing how far for each queue.

import { useState } from 'preact/hooks';
import { ago, count, fromLocalInput, HOUR_MS, localInput, plural, time } from '../lib/format.js';
import { nowMs, serverNow } from '../lib/session.js';
import { type FormProps, openChange } from '../ui/change.js';
import { Switch } from '../ui/parts.js';

const TARGETS = [
  ['time', 'To a time'],
  ['beginning', 'To the oldest'],
  ['end', 'To the end'],
] as const;
const MAX_BACK_MS = 72 * HOUR_MS;
/** The slider has as many steps for the last minutes as for the days before. */
const STEPS = 1_000;

interface Wanted {
  readonly topic: string;
  readonly topics: readonly string[];
  readonly to: (typeof TARGETS)[number][0];
  readonly timeMs: number;
}

interface Moves {
  readonly moves: readonly {
    readonly broker: string;
    readonly queueId: number;
    readonly from?: number;
    readonly to: number;
  }[];
}

export function openRewind(consumerGroup: string, topics: readonly string[]): void {
  openChange<Wanted, Moves>({
    title: `Rewind ${consumerGroup}`,
    form: { topic: topics[0] ?? '', topics, to: 'time', timeMs: serverNow() - HOUR_MS },
    Form: RewindForm,
    body: ({ topic, to, timeMs }) => ({
      action: 'rewind',
      consumerGroup,
      topic,
      to,
      timeMs: to === 'time' ? String(timeMs) : undefined,
    }),
    preview: (preview) => <MoveList {...preview} />,
    confirm: ({ moves }) =>
      moves.some(({ from, to }) => from !== to) ? `Move ${plural(moves.length, 'queue')}` : undefined,
    isDangerous: true,
  });
}

function RewindForm({ form, set }: FormProps<Wanted>) {
  const { topic, topics, to, timeMs } = form;
  const [endMs] = useState(nowMs.peek());
  return (
    <>
      {topics.length > 1 && (
        <label class="field">
          <span>Topic</span>
          <select value={topic} onChange={({ currentTarget: { value } }) => set({ topic: value })}>
            {topics.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      )}
      <Switch label="Where to" options={TARGETS} value={to} onChange={(one) => set({ to: one })} />
      {to === 'time' && (
        <>
          <label class="field wide">
            <span>
              Messages stored since {time(timeMs, endMs, false)}, {ago(timeMs, endMs)}
            </span>
            <input
              type="range"
              min={0}
              max={STEPS}
              value={stepOf(endMs - timeMs)}
              onInput={({ currentTarget: { value } }) => set({ timeMs: endMs - backOf(Number(value)) })}
            />
            <span class="ends muted" aria-hidden="true">
              <span>3 days ago</span>
              <span>1 h ago</span>
              <span>now</span>
            </span>
          </label>
          <label class="field">
            <span>Exactly</span>
            <input
              type="datetime-local"
              step="1"
              value={localInput(timeMs)}
              onChange={({ currentTarget: { value } }) =>
                value !== '' && set({ timeMs: fromLocalInput(value, timeMs) })
              }
            />
          </label>
        </>
      )}
    </>
  );
}

/** The middle of the slider is an hour ago. */
const BEND = Math.log(HOUR_MS / MAX_BACK_MS) / Math.log(0.5);

function stepOf(backMs: number): number {
  return STEPS - Math.round(STEPS * Math.min(1, Math.max(0, backMs) / MAX_BACK_MS) ** (1 / BEND));
}

function backOf(step: number): number {
  return Math.round(MAX_BACK_MS * ((STEPS - step) / STEPS) ** BEND);
}

function MoveList({ moves }: Moves) {
  const distances = moves.map(({ from, to }) => (from === undefined ? 0 : to - from));
  const [back, ahead] = [sum(distances.filter((one) => one < 0)), sum(distances.filter((one) => one > 0))];
  return (
    <>
      <p>
        {back < 0 && (
          <>
            <strong>{plural(-back, 'message')}</strong> will be delivered again.{' '}
          </>
        )}
        {ahead > 0 && (
          <>
            <strong class="bad">{plural(ahead, 'message')}</strong> will be skipped.{' '}
          </>
        )}
        {back === 0 && ahead === 0 && 'No queue moves: the group is there already.'}
      </p>
      <ol class="list">
        {moves.map(({ broker, queueId, from, to }, index) => (
          <li key={`${broker}/${queueId}`}>
            <span class="grow">
              {broker} / {queueId}
            </span>
            <span class="number">{from === undefined ? 'not started' : count(from)}</span>
            <span class="muted">
              → <span class="sr">to</span>
            </span>
            <strong class="number">{count(to)}</strong>
            <span class="number muted wide-number">{signed(distances[index] ?? 0)}</span>
          </li>
        ))}
      </ol>
    </>
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((whole, one) => whole + one, 0);
}

function signed(number: number): string {
  return number > 0 ? `+${count(number)}` : count(number).replace('-', '−');
}
