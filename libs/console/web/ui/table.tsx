// Rows of a fixed height, of which only those in sight are in the page: thousands cost what fifty cost. Under 640 px each row is a card.

import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { go } from '../lib/router.js';

export interface Column<T> {
  readonly name: string;
  readonly cell: (row: T) => ComponentChildren;
  /** In pixels; without one it takes a part of what is left. */
  readonly width?: number;
  readonly isNumber?: boolean;
  /** Left out where the window is not wide. */
  readonly isExtra?: boolean;
}

export interface Selection {
  readonly chosen: ReadonlySet<string>;
  readonly change: (keys: readonly string[], isChosen: boolean) => void;
}

interface Props<T> {
  readonly label: string;
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string;
  /** What a row opens. */
  readonly hrefOf?: (row: T) => string;
  readonly selection?: Selection;
  /** Rows that have just come. */
  readonly isFresh?: (row: T) => boolean;
}

const ROW_PX = 34;
const CARD_LINE_PX = 24;
const CARD_EDGE_PX = 21;
const NARROW = window.matchMedia('(max-width: 640px)');
/** Rows before and after those in sight, so that `j` finds the next one. */
const SPARE = 12;
const FEW = 120;

export function Table<T>({ label, rows, columns, keyOf, hrefOf, selection, isFresh }: Props<T>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const isNarrow = useMedia(NARROW);
  const rowPx = isNarrow ? columns.length * CARD_LINE_PX + CARD_EDGE_PX : ROW_PX;
  const [from, to] = useInSight(body, rows.length, rowPx);
  const shown = rows.slice(from, to);
  const keys = rows.map(keyOf);
  const isAll = selection !== undefined && keys.length > 0 && keys.every((key) => selection.chosen.has(key));
  const width = columns.length + (selection === undefined ? 0 : 1);
  return (
    <div class="panel">
      <table class="rows" aria-label={label} aria-rowcount={rows.length + 1}>
        <colgroup>
          {selection !== undefined && <col style={{ width: '38px' }} />}
          {columns.map(({ name, width: px, isExtra }) => (
            <col key={name} class={isExtra ? 'extra' : ''} style={px === undefined ? {} : { width: `${px}px` }} />
          ))}
        </colgroup>
        <thead>
          <tr>
            {selection !== undefined && (
              <th scope="col">
                <input
                  type="checkbox"
                  aria-label="Select all that are shown"
                  checked={isAll}
                  onChange={() => selection.change(keys, !isAll)}
                />
              </th>
            )}
            {columns.map(({ name, isNumber, isExtra }) => (
              <th key={name} scope="col" class={classOf(isNumber, isExtra)}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          <Gap height={from * rowPx} width={width} />
          {shown.map((row, index) => {
            const key = keyOf(row);
            const href = hrefOf?.(row);
            return (
              <tr
                key={key}
                data-row
                aria-rowindex={from + index + 2}
                class={`${href === undefined ? '' : 'opens'} ${isFresh?.(row) === true ? 'fresh' : ''}`}
                style={isNarrow ? { height: `${rowPx}px` } : {}}
                onClick={(event) => openRow(event, href)}
              >
                {selection !== undefined && (
                  <td class="tick">
                    <input
                      type="checkbox"
                      aria-label={`Select ${key}`}
                      checked={selection.chosen.has(key)}
                      onChange={() => selection.change([key], !selection.chosen.has(key))}
                    />
                  </td>
                )}
                {columns.map(({ name, cell, isNumber, isExtra }, column) => (
                  <td key={name} data-label={column === 0 ? undefined : name} class={classOf(isNumber, isExtra)}>
                    {column === 0 && href !== undefined ? (
                      <a href={href} data-open>
                        {cell(row)}
                      </a>
                    ) : (
                      <span>{cell(row)}</span>
                    )}
                  </td>
                ))}
              </tr>
            );
          })}
          <Gap height={(rows.length - to) * rowPx} width={width} />
        </tbody>
      </table>
    </div>
  );
}

function classOf(isNumber = false, isExtra = false): string {
  return `${isNumber ? 'number' : ''} ${isExtra ? 'extra' : ''}`.trim();
}

function Gap({ height, width }: { readonly height: number; readonly width: number }) {
  if (height <= 0) return null;
  return (
    <tr class="gap" style={{ height: `${height}px` }}>
      <td colSpan={width} />
    </tr>
  );
}

/** The whole row opens what its link opens, unless text is being selected in it. */
function openRow(event: MouseEvent, href: string | undefined): void {
  const isControl = (event.target as Element).closest('a, button, input, label, summary') !== null;
  if (href === undefined || isControl || window.getSelection()?.isCollapsed === false) return;
  if (event.metaKey || event.ctrlKey) window.open(href, '_blank', 'noopener');
  else go(href);
}

export function useMedia(query: MediaQueryList): boolean {
  const [matches, setMatches] = useState(query.matches);
  useEffect(() => {
    const look = (): void => setMatches(query.matches);
    query.addEventListener('change', look);
    return () => query.removeEventListener('change', look);
  }, [query]);
  return matches;
}

/** @returns the first row to draw, and the one after the last */
function useInSight(
  body: { readonly current: HTMLElement | null },
  length: number,
  rowPx: number,
): readonly [number, number] {
  const [range, setRange] = useState<readonly [number, number]>([0, Math.min(length, FEW)]);
  const isLong = length > FEW;
  useLayoutEffect(() => {
    if (!isLong) return;
    const look = (): void => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const from = Math.max(0, Math.floor(-top / rowPx) - SPARE);
      const to = Math.min(length, Math.ceil((window.innerHeight - top) / rowPx) + SPARE);
      setRange(([before, after]) => (before === from && after === to ? [before, after] : [from, Math.max(from, to)]));
    };
    look();
    window.addEventListener('scroll', look, { passive: true });
    window.addEventListener('resize', look);
    return () => {
      window.removeEventListener('scroll', look);
      window.removeEventListener('resize', look);
    };
  }, [isLong, length, rowPx, body]);
  return isLong ? range : [0, length];
}
