// When delayed messages become due: each cell is a minute, an hour or a day, and the darker, the more. Where the window is not wide, a cell is
// six minutes, so that it can be hit.

import { useState } from 'preact/hooks';
import { count, DAY_MS, day, duration, HOUR_MS, minute, plural } from '../lib/format.js';
import { useMedia } from '../ui/table.js';

const MINUTE_MS = 60_000;

export const SPANS = [
  ['minute', 'Minutes'],
  ['hour', 'Hours'],
  ['day', 'Days'],
] as const;
export type SpanName = (typeof SPANS)[number][0];

interface Shape {
  readonly cellMs: number;
  readonly columns: number;
  readonly rows: number;
  readonly labelOf: (ms: number) => string;
  /** @param afterMs after the start of its row */
  readonly columnOf: (ms: number, afterMs: number) => string;
  /** Each so many columns has a label. */
  readonly every: number;
}

const WIDE = window.matchMedia('(min-width: 1180px)');
const DAYS: Shape = { cellMs: DAY_MS, columns: 7, rows: 6, every: 1, labelOf: day, columnOf: weekday };
/** Six hours, a week, six weeks; a finger hits each cell. */
const SHAPES: Readonly<Record<SpanName, Shape>> = {
  minute: {
    cellMs: MINUTE_MS,
    columns: 30,
    rows: 12,
    every: 10,
    labelOf: minute,
    columnOf: after,
  },
  hour: { cellMs: HOUR_MS, columns: 24, rows: 7, every: 4, labelOf: day, columnOf: minute },
  day: DAYS,
};
const NARROW_SHAPES: Readonly<Record<SpanName, Shape>> = {
  minute: {
    cellMs: 6 * MINUTE_MS,
    columns: 10,
    rows: 6,
    every: 5,
    labelOf: minute,
    columnOf: (ms) => `:${String(new Date(ms).getMinutes()).padStart(2, '0')}`,
  },
  hour: {
    cellMs: HOUR_MS,
    columns: 8,
    rows: 21,
    every: 4,
    labelOf: (ms) => (new Date(ms).getHours() === 0 ? day(ms) : minute(ms)),
    columnOf: after,
  },
  day: DAYS,
};
const LEVELS = 5;

function after(_: number, afterMs: number): string {
  return afterMs === 0 ? '' : `+${duration(afterMs)}`;
}

interface Props {
  readonly counts: readonly { readonly atMs: number; readonly count: number }[];
  readonly by: SpanName;
  readonly nowMs: number;
  readonly chosenMs: number | undefined;
  readonly onChoose: (fromMs: number | undefined, toMs?: number) => void;
}

export function HeatMap({ counts, by, nowMs, chosenMs, onChoose }: Props) {
  const isWide = useMedia(WIDE);
  const { cellMs, columns, rows, labelOf, columnOf, every } = (isWide ? SHAPES : NARROW_SHAPES)[by];
  const [focusedMs, setFocusedMs] = useState<number>();
  const startMs = startOf(nowMs, by);
  const cells = Array.from({ length: columns * rows }, () => 0);
  let later = 0;
  for (const { atMs, count: some } of counts) {
    const at = Math.max(0, Math.floor((atMs - startMs) / cellMs));
    if (at < cells.length) cells[at] = (cells[at] ?? 0) + some;
    else later += some;
  }
  const most = Math.max(1, ...cells);
  const lines = Array.from({ length: rows }, (_, row) => row);
  const times = cells.flatMap((some, at) => (some === 0 ? [] : [startMs + at * cellMs]));
  // One stop for Tab; arrow keys go on from there.
  const stopMs = [focusedMs, chosenMs].find((ms) => ms !== undefined && times.includes(ms)) ?? times[0];
  const textOf = (ms: number): string =>
    by === 'day' ? day(ms) : `${day(ms)} ${minute(ms)} to ${minute(ms + cellMs)}`;
  return (
    <div class="panel heat-panel">
      <section
        class={`heat ${by}`}
        style={{ '--columns': String(columns) }}
        aria-label={`Messages that become due, by ${by}; arrow keys move`}
        onKeyDown={(event) => moveCell(event, columns)}
      >
        <div class="heat-head muted" aria-hidden="true">
          <span />
          {Array.from({ length: columns }, (_, column) => (
            <span key={String(column)}>
              {column % every === 0 ? columnOf(startMs + column * cellMs, column * cellMs) : ''}
            </span>
          ))}
        </div>
        {lines.map((row) => (
          <div key={String(row)} class="heat-row">
            <span class="muted">{labelOf(startMs + row * columns * cellMs)}</span>
            {cells.slice(row * columns, (row + 1) * columns).map((some, column) => {
              const fromMs = startMs + (row * columns + column) * cellMs;
              return (
                <Cell
                  key={String(fromMs)}
                  some={some}
                  level={some === 0 ? 0 : Math.ceil((some / most) * LEVELS)}
                  label={textOf(fromMs)}
                  at={row * columns + column}
                  isStop={fromMs === stopMs}
                  onFocus={() => setFocusedMs(fromMs)}
                  isChosen={fromMs === chosenMs}
                  isPast={fromMs + cellMs <= nowMs}
                  onChoose={() => (fromMs === chosenMs ? onChoose(undefined) : onChoose(fromMs, fromMs + cellMs))}
                />
              );
            })}
          </div>
        ))}
      </section>
      <p class="foot">
        <span class="scale">
          {count(1)}
          {Array.from({ length: LEVELS }, (_, level) => (
            <i key={String(level)} class={`l${level + 1}`} />
          ))}
          {count(most)}
        </span>
        {later > 0 && <span>{plural(later, 'message')} later than this</span>}
      </p>
    </div>
  );
}

interface CellProps {
  readonly some: number;
  readonly level: number;
  readonly label: string;
  /** Its place, row by row. */
  readonly at: number;
  readonly isStop: boolean;
  readonly onFocus: () => void;
  readonly isChosen: boolean;
  readonly isPast: boolean;
  readonly onChoose: () => void;
}

/** Cells without messages are not in the way of the keyboard. */
function Cell({ some, level, label, at, isStop, onFocus, isChosen, isPast, onChoose }: CellProps) {
  if (some === 0) return <i class={isPast ? 'cell past' : 'cell'} />;
  const text = `${plural(some, 'message')}, ${label}`;
  return (
    <button
      type="button"
      class={`cell l${level}`}
      aria-pressed={isChosen}
      aria-label={text}
      title={text}
      data-at={at}
      tabIndex={isStop ? 0 : -1}
      onFocus={onFocus}
      onClick={onChoose}
    />
  );
}

/** To the next cell with messages in the direction of an arrow. */
function moveCell(event: KeyboardEvent, columns: number): void {
  const map = event.currentTarget as HTMLElement;
  const cells = [...map.querySelectorAll<HTMLElement>('[data-at]')];
  const placeOf = ({ dataset }: HTMLElement): number => Number(dataset.at);
  const from = cells.find((cell) => cell === document.activeElement);
  if (from === undefined) return;
  const at = placeOf(from);
  const rowOf = (cell: HTMLElement): number => Math.floor(placeOf(cell) / columns);
  const farOf = (cell: HTMLElement): number => Math.abs((placeOf(cell) % columns) - (at % columns));
  const next: Readonly<Record<string, () => HTMLElement | undefined>> = {
    ArrowRight: () => cells.find((cell) => placeOf(cell) > at),
    ArrowLeft: () => cells.findLast((cell) => placeOf(cell) < at),
    ArrowDown: () =>
      cells
        .filter((cell) => rowOf(cell) > rowOf(from))
        .toSorted((left, right) => rowOf(left) - rowOf(right) || farOf(left) - farOf(right))[0],
    ArrowUp: () =>
      cells
        .filter((cell) => rowOf(cell) < rowOf(from))
        .toSorted((left, right) => rowOf(right) - rowOf(left) || farOf(left) - farOf(right))[0],
    Home: () => cells[0],
    End: () => cells.at(-1),
  };
  if (!Object.hasOwn(next, event.key)) return;
  event.preventDefault();
  next[event.key]?.()?.focus();
}

function startOf(ms: number, by: SpanName): number {
  const date = new Date(ms);
  if (by === 'minute') date.setMinutes(0, 0, 0);
  else date.setHours(0, 0, 0, 0);
  if (by === 'day') date.setDate(date.getDate() - ((date.getDay() + 6) % 7));
  return date.getTime();
}

function weekday(ms: number): string {
  return new Intl.DateTimeFormat('en', { weekday: 'short' }).format(ms);
}
