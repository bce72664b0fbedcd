// What a schedule shows of its entries, page by page.

import { UsageError } from '../../support/errors.js';
import { checkedElsewhere, checkedPositiveInteger, type OptionChecks } from '../../support/options.js';
import type { ListedRow, ListOptions } from './schedule-statements.js';
import { PAUSE_MS } from './schedule-statements.js';
import { assertScheduleKey } from './schedule-tick.js';

/** An entry that waits. */
export interface PendingEntry {
  readonly key: string;
  readonly topic: string;
  readonly messageGroup: string | undefined;
  /** When it is due; for a repeated entry its next tick. While it is paused: when it would be due. */
  readonly dueAt: Date;
  readonly cron: string | undefined;
  readonly timeZone: string | undefined;
  /** The last tick of a repeated entry that was moved to the outbox; undefined before the first one. */
  readonly lastTickAt: Date | undefined;
  /** Undefined unless it is paused. */
  readonly paused: { readonly since: Date; readonly reason: string } | undefined;
}

/** Which entries `pending` returns. */
export interface PendingOptions {
  /** The most entries of a page, 1 to 1,000. Default 100. */
  readonly limit?: number;
  /** `next` of the page before. Default: the first page. */
  readonly after?: string;
  /** Only the entry with this key. Default: all. */
  readonly key?: string;
}

/** Entries that wait, those that are due first at the beginning, and paused ones at the end. */
export interface PendingPage {
  readonly entries: readonly PendingEntry[];
  /** For the option `after`; undefined on the last page. */
  readonly next: string | undefined;
}

/** The values are checked where they are read. */
export const PENDING_CHECKS: OptionChecks<PendingOptions> = {
  limit: checkedElsewhere,
  after: checkedElsewhere,
  key: checkedElsewhere,
};

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

/** With one more entry than fits on the page. @throws UsageError that names the option */
export function listOptionsOf({ limit = DEFAULT_LIMIT, after, key }: PendingOptions): ListOptions {
  if (key !== undefined) assertScheduleKey(key);
  const rows = checkedPositiveInteger('limit', limit, MAX_LIMIT) + 1;
  return { limit: rows, key, after: after === undefined ? undefined : placeOf(after) };
}

function placeOf(after: unknown): ListOptions['after'] {
  const [, dueAtMs, key] = (typeof after === 'string' && /^(\d{1,15}) (\S{1,255})$/u.exec(after)) || [];
  if (dueAtMs !== undefined && key !== undefined) return { dueAtMs: Number(dueAtMs), key };
  throw new UsageError('ILLEGAL_OPTION', 'option after must be next of the page before', 'after');
}

export function pageOf(rows: readonly ListedRow[], limit: number): PendingPage {
  const shown = rows.slice(0, limit - 1);
  const last = rows.length < limit ? undefined : shown.at(-1);
  return { entries: shown.map(entryOf), next: last && `${last.dueAtMs} ${last.key}` };
}

function entryOf(row: ListedRow): PendingEntry {
  const { key, topic, messageGroup, dueAtMs, rule, lastTickMs, pausedAtMs, reason } = row;
  const isPaused = dueAtMs >= PAUSE_MS;
  return {
    key,
    topic,
    messageGroup: messageGroup ?? undefined,
    dueAt: new Date(isPaused ? dueAtMs - PAUSE_MS : dueAtMs),
    cron: rule?.cron,
    timeZone: rule?.timeZone,
    lastTickAt: rule === undefined || lastTickMs === null ? undefined : new Date(lastTickMs),
    paused: isPaused ? { since: new Date(pausedAtMs ?? 0), reason: reason ?? '' } : undefined,
  };
}
