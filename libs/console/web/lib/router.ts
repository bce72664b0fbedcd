// The address line is the state of the page: what is open, searched and selected can be sent to a colleague.

import { signal } from '@preact/signals';

/** Where the console is mounted, with a slash at the end. The server writes it into the page, relative to the address that was opened. */
const base = new URL(document.baseURI).pathname;

interface Place {
  /** Decoded parts of the path below the console: `['topics', 'orders']`. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

export const place = signal<Place>(read());

function read(): Place {
  const { pathname, search } = window.location;
  const below = pathname.startsWith(base) ? pathname.slice(base.length) : '';
  const parts = below.split('/').filter((part) => part !== '');
  return { parts: parts.map((part) => decodeURIComponent(part)), query: new URLSearchParams(search) };
}

/** The address of a page, for links. Empty values are left out. */
export function linkTo(parts: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== '',
  );
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
  return base + parts.map(encodeURIComponent).join('/') + search;
}

export function go(href: string): void {
  if (href === window.location.pathname + window.location.search) return;
  const isSamePage = new URL(href, window.location.href).pathname === window.location.pathname;
  window.history.pushState(null, '', href);
  place.value = read();
  if (isSamePage) return;
  window.scrollTo(0, 0);
  // Users of a screen reader or of the Tab key continue at the top of the new page.
  document.getElementById('content')?.focus({ preventScroll: true });
}

/** Changes the query of this page without a new entry in the history: filters are typed letter by letter. */
export function setQuery(changes: Readonly<Record<string, string | undefined>>): void {
  const { parts, query } = place.value;
  const next = { ...Object.fromEntries(query), ...changes };
  window.history.replaceState(null, '', linkTo(parts, next));
  place.value = read();
}

/** Lets links of the console change the page without loading it again. */
export function startRouter(): void {
  window.addEventListener('popstate', () => {
    place.value = read();
  });
  document.addEventListener('click', (event) => {
    const link = (event.target as Element | null)?.closest('a');
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (link === null || link === undefined || !isPlain || link.target !== '' || link.origin !== window.location.origin)
      return;
    if (!link.pathname.startsWith(base) || link.hasAttribute('download')) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
