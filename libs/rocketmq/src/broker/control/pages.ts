// Pages of long lists in the store. Bounded, so that other requests do not wait for them.

import type { Key, KeyPart, Store } from '../store/store.js';
import type { Fields } from './control-input.js';
import { illegal } from './control-rejection.js';
import type { Page } from './control-views.js';

/** The default and the maximum number of items per page. */
const DEFAULT_ITEMS = 100;
const MAX_ITEMS = 500;
/** The most pairs that a page reads, whatever it finds. */
const MAX_LOOKED_AT = 5_000;
/** The pairs that are read in one turn of the event loop. */
const TURN = 2_000;

/** The requested part of a list. */
interface PageOptions {
  readonly limit: number;
  readonly after: string | undefined;
}

/** Reads `limit` and `after`. */
export function pageOptionsOf(fields: Fields): PageOptions {
  return { limit: fields.count('limit', { from: 1, to: MAX_ITEMS }) ?? DEFAULT_ITEMS, after: fields.text('after') };
}

/**
 * Skips records that cannot be read.
 * @param view converts a pair to an item; undefined: the pair is not part of the list
 */
export function pageOf<T>(
  store: Store,
  prefix: Key,
  { limit, after }: PageOptions,
  view: (key: Key, value: unknown) => T | undefined,
): Page<T> {
  const from = after === undefined ? undefined : keyOf(after);
  const items: T[] = [];
  let looked = 0;
  let last: Key | undefined;
  for (const [key, value] of store.scan(prefix, { ...(from && { from }), tolerant: true })) {
    if (from !== undefined && looked === 0 && textOf(key) === after) continue;
    if (items.length >= limit || looked >= MAX_LOOKED_AT) return { items, next: textOf(last ?? key) };
    looked++;
    last = key;
    const item = value === undefined ? undefined : view(key, value);
    if (item !== undefined) items.push(item);
  }
  return { items };
}

/** A page of a list in memory, sorted by name. */
export function pageOfList<T>(list: readonly T[], { limit, after }: PageOptions, nameOf: (item: T) => string): Page<T> {
  const sorted = list.map((item) => ({ item, name: nameOf(item) })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const rest = sorted.filter(({ name }) => after === undefined || name > after);
  const items = rest.slice(0, limit);
  const next = rest.length > items.length ? items.at(-1)?.name : undefined;
  return { items: items.map(({ item }) => item), ...(next && { next }) };
}

/**
 * Reads everything under a prefix and yields to the event loop from time to time. The result may or may not include what is written
 * meanwhile.
 */
export async function* allOf(store: Store, prefix: Key): AsyncGenerator<readonly [Key, unknown]> {
  let from: Key | undefined;
  for (;;) {
    const pairs: (readonly [Key, unknown])[] = [];
    for (const pair of store.scan(prefix, from === undefined ? {} : { from })) {
      pairs.push(pair);
      if (pairs.length > TURN) break;
    }
    const isLast = pairs.length <= TURN;
    // The last pair of this turn is read again in the next one, so that none is lost.
    for (const pair of isLast ? pairs : pairs.slice(0, -1)) yield pair;
    if (isLast) return;
    from = pairs.at(-1)?.[0];
    await nextTurn();
  }
}

/** Yields to the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function textOf(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** Any key is safe: a scan returns only what is under its own prefix. */
function keyOf(text: string): Key {
  try {
    const key: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(key) && key.every(isPart)) return key;
  } catch {
    // Reported below.
  }
  throw illegal('after', 'must be the `next` of an earlier answer');
}

function isPart(part: unknown): part is KeyPart {
  return typeof part === 'string' || (typeof part === 'number' && Number.isFinite(part));
}
