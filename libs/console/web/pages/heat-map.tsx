// When delayed messages become due: each cell is a minute, an hour or a day, and the darker, the more.

import { count, DAY_MS, day, HOUR_MS, minute, plural } from '../lib/format.js';

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
  readonly columnOf: (ms: number) => string;
  /** Each so many columns has a label. */
  readonly every: number;
}

const SHAPES: Readonly<Record<SpanName, Shape>> = {
  minute: {
    cellMs: MINUTE_MS,
    columns: 60,
    rows: 6,
    every: 10,
    labelOf: minute,
    columnOf: (ms) => `:${String(new Date(ms).getMinutes()).padStart(2, '0')}`,
  },
  hour: { cellMs: HOUR_MS, columns: 24, rows: 7, every: 4, labelOf: day, columnOf: minute },
  day: { cellMs: DAY_MS, columns: 7, rows: 6, every: 1, labelOf: day, columnOf: weekday },
};
const LEVELS = 5;

interface Props {
  readonly counts: readonly { readonly atMs: number; readonly count: number }[];
  readonly by: SpanName;
  readonly nowMs: number;
  readonly chosenMs: number | undefined;
  readonly onChoose: (fromMs: number | undefined, toMs?: number) => void;
}

export function HeatMap({ counts, by, nowMs, chosenMs, onChoose }: Props) {
  const { cellMs, columns, rows, labelOf, columnOf, every } = SHAPES[by];
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
  return (
    <div class="panel heat-panel">
      <section class={`heat ${by}`} aria-label={`Messages that become due, by ${by}`}>
        <div class="heat-head muted" aria-hidden="true">
          <span />
          {Array.from({ length: columns }, (_, column) => (
            <span key={String(column)}>{column % every === 0 ? columnOf(startMs + column * cellMs) : ''}</span>
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
                  label={by === 'day' ? day(fromMs) : `${day(fromMs)} ${minute(fromMs)}`}
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
  readonly isChosen: boolean;
  readonly isPast: boolean;
  readonly onChoose: () => void;
}

/** Cells without messages are not in the way of the keyboard. */
function Cell({ some, level, label, isChosen, isPast, onChoose }: CellProps) {
  if (some === 0) return <i class={isPast ? 'cell past' : 'cell'} />;
  const text = `${plural(some, 'message')}, ${label}`;
  return (
    <button
      type="button"
      class={`cell l${level}`}
      aria-pressed={isChosen}
      aria-label={text}
      title={text}
      onClick={onChoose}
    />
  );
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
