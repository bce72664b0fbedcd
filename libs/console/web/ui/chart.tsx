// A line over time, drawn as SVG: its colors follow the page, and it is small. The value under the pointer, or under the arrow keys, is
// written out.

import { useEffect, useRef, useState } from 'preact/hooks';
import { compact, count, DAY_MS, day, HOUR_MS, minute, time } from '../lib/format.js';
import { nowMs } from '../lib/session.js';

interface Point {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly value: number;
}

interface Props {
  readonly label: string;
  /** Ascending by time. */
  readonly points: readonly Point[];
  /** The time that the chart spans, up to its last point. */
  readonly spanMs: number;
  /** Where two points are farther apart, nothing was recorded between them. */
  readonly gapMs: number;
}

const HEIGHT_PX = 190;
const EDGE = { top: 14, right: 16, bottom: 24, left: 56 };
const MINUTE_MS = 60_000;
const HOURS_MS = [HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, DAY_MS, 3 * DAY_MS];
const STEPS_MS = [MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, 15 * MINUTE_MS, ...HOURS_MS];
const LABEL_PX = 80;
const YEAR_LENGTH = '2026-'.length;

export function Chart({ label, points, spanMs, gapMs }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [at, setAt] = useState<number | undefined>();
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return null;
  const fromMs = Math.max(last.atMs - spanMs, Math.min(first.atMs, last.atMs - MINUTE_MS));
  const most = niceMost(Math.max(...points.map(({ value }) => value)));
  const [innerWidth, bottom] = [Math.max(1, width - EDGE.left - EDGE.right), HEIGHT_PX - EDGE.bottom];
  const x = (ms: number): number => EDGE.left + (innerWidth * (ms - fromMs)) / (last.atMs - fromMs);
  const y = (value: number): number => bottom - ((bottom - EDGE.top) * value) / most;
  const shown = points.filter(({ atMs }) => atMs >= fromMs);
  const runs = runsOf(shown, gapMs);
  const lines = runs.map((run) =>
    run.map(({ atMs, value }) => `${x(atMs).toFixed(1)} ${y(value).toFixed(1)}`).join('L'),
  );
  const point = at === undefined ? undefined : shown[Math.min(at, shown.length - 1)];
  const nearest = (ms: number): number =>
    shown.reduce(
      (best, one, index) => (Math.abs(one.atMs - ms) < Math.abs((shown[best]?.atMs ?? 0) - ms) ? index : best),
      0,
    );
  const move = (by: number): void => setAt(Math.max(0, Math.min(shown.length - 1, (at ?? shown.length - 1) + by)));
  return (
    <div
      ref={box}
      class="chart"
      role="slider"
      aria-label={`${label} over time`}
      aria-valuemin={0}
      aria-valuemax={shown.length - 1}
      aria-valuenow={at ?? shown.length - 1}
      aria-valuetext={`${count((point ?? last).value)} at ${time((point ?? last).atMs, nowMs.value, false)}`}
      tabIndex={0}
      onBlur={() => setAt(undefined)}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
        event.preventDefault();
        move(event.key === 'ArrowLeft' ? -1 : 1);
      }}
    >
      <p class="read-out">
        {point === undefined ? (
          <span class="muted">at most {compact(Math.round(Math.max(...shown.map(({ value }) => value))))}</span>
        ) : (
          <>
            <strong>{count(point.value)}</strong> <span class="muted">{time(point.atMs, nowMs.value, false)}</span>
          </>
        )}
      </p>
      <svg
        width={width}
        height={HEIGHT_PX}
        aria-hidden="true"
        onPointerMove={({ offsetX }) =>
          setAt(nearest(fromMs + ((offsetX - EDGE.left) / innerWidth) * (last.atMs - fromMs)))
        }
        onPointerLeave={() => setAt(undefined)}
      >
        {[0, most / 2, most].map((value) => (
          <g key={value}>
            <line class="grid" x1={EDGE.left} x2={width - EDGE.right} y1={y(value)} y2={y(value)} />
            <text x={EDGE.left - 8} y={y(value) + 4} text-anchor="end">
              {compact(value)}
            </text>
          </g>
        ))}
        {ticksOf(fromMs, last.atMs, innerWidth).map((ms) => (
          <text key={ms} x={x(ms)} y={HEIGHT_PX - 6} text-anchor="middle">
            {last.atMs - fromMs > 2 * DAY_MS ? day(ms).slice(YEAR_LENGTH) : minute(ms)}
          </text>
        ))}
        {lines.map((line, index) => {
          const [start, end] = [runs[index]?.[0]?.atMs ?? fromMs, runs[index]?.at(-1)?.atMs ?? fromMs];
          return <path key={start} class="area" d={`M${x(start)} ${bottom}L${line}L${x(end)} ${bottom}Z`} />;
        })}
        {lines.map((line) => (
          <path key={line} class="line" d={`M${line}`} />
        ))}
        {runs.flatMap(([alone, second]) =>
          alone === undefined || second !== undefined ? (
            []
          ) : (
            <circle key={alone.atMs} cx={x(alone.atMs)} cy={y(alone.value)} r={3} />
          ),
        )}
        {point !== undefined && (
          <>
            <line class="cursor" x1={x(point.atMs)} x2={x(point.atMs)} y1={EDGE.top} y2={bottom} />
            <circle cx={x(point.atMs)} cy={y(point.value)} r={4} />
          </>
        )}
      </svg>
    </div>
  );
}

function useWidth(box: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const fit = new ResizeObserver(() => setWidth(element.clientWidth));
    fit.observe(element);
    return () => fit.disconnect();
  }, [box]);
  return width;
}

/** Points without a gap between them. */
function runsOf(points: readonly Point[], gapMs: number): readonly (readonly Point[])[] {
  const runs: Point[][] = [];
  for (const point of points) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run === undefined || before === undefined || point.atMs - before.atMs > gapMs) runs.push([point]);
    else run.push(point);
  }
  return runs;
}

/** The next round number, even, so that its half is a whole one. */
function niceMost(value: number): number {
  if (value <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = (power === 1 ? [4, 6, 8, 10] : [1, 2, 3, 4, 5, 6, 8, 10]).map((step) => step * power);
  return steps.find((step) => step >= value) ?? value;
}

function ticksOf(fromMs: number, toMs: number, width: number): readonly number[] {
  const most = Math.max(1, Math.floor(width / LABEL_PX));
  const stepMs = STEPS_MS.find((step) => (toMs - fromMs) / step <= most) ?? DAY_MS;
  // Midnight is a tick, whatever the time zone.
  const shiftMs = new Date(fromMs).getTimezoneOffset() * MINUTE_MS;
  const first = Math.ceil((fromMs - shiftMs) / stepMs) * stepMs + shiftMs;
  return Array.from(
    { length: Math.max(0, Math.floor((toMs - first) / stepMs) + 1) },
    (_, index) => first + index * stepMs,
  );
}
