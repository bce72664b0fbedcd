// The keyboard: every page can be used without a mouse.

import { signal } from '@preact/signals';
import { go, linkTo } from './router.js';
import { session } from './session.js';
import { keep, kept } from './storage.js';

interface PageName {
  readonly key: string;
  readonly name: string;
  readonly path: readonly string[];
  readonly needs?: 'app' | 'schedule' | 'control';
}

const PAGES: readonly PageName[] = [
  { key: 'o', name: 'Overview', path: [] },
  { key: 't', name: 'Topics', path: ['topics'] },
  { key: 'g', name: 'Groups', path: ['groups'] },
  { key: 'd', name: 'Dead letters', path: ['dead-letters'] },
  { key: 'l', name: 'Delayed', path: ['delayed'] },
  { key: 'x', name: 'Transactions', path: ['transactions'] },
  { key: 'a', name: 'Application', path: ['app'], needs: 'app' },
  { key: 's', name: 'Schedule', path: ['schedule'], needs: 'schedule' },
  { key: 'f', name: 'Faults', path: ['faults'], needs: 'control' },
  { key: 'u', name: 'Audit', path: ['audit'] },
];

/** The pages that there are here. */
export function pagesHere(): readonly PageName[] {
  const has = session.value?.has;
  return PAGES.filter(({ needs }) => needs === undefined || has?.[needs] === true);
}

export const isHelpOpen = signal(false);

const NAME = 'keys';
/** Whether single keys do something. Who speaks to a computer, or hits keys by accident, turns them off. */
export const areKeysOn = signal(kept(NAME) !== 'off');

export function turnKeys(isOn: boolean): void {
  areKeysOn.value = isOn;
  keep(NAME, isOn ? 'on' : 'off');
  showKeys();
}

/** Hints of keys that do nothing are not shown. */
function showKeys(): void {
  document.documentElement.classList.toggle('no-keys', !areKeysOn.value);
}

/** After `g`, the next key names a page. */
const GO_MS = 1_500;
const SCROLL_PX = 200;

export function startKeys(): void {
  let goUntilMs = 0;
  showKeys();
  document.addEventListener('keydown', (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    if (event.key === 'Escape' && isSearch(target)) target.blur();
    if (!areKeysOn.value || isTyping(target) || document.querySelector('dialog[open]') !== null) return;
    const isGoing = performance.now() < goUntilMs;
    goUntilMs = 0;
    if (isGoing) {
      const page = pagesHere().find(({ key }) => key === event.key);
      if (page !== undefined) go(linkTo(page.path));
    } else if (event.key === 'g') goUntilMs = performance.now() + GO_MS;
    else if (event.key === '/') focusSearch();
    else if (event.key === '?') isHelpOpen.value = true;
    else if (event.key === 'j' || event.key === 'k') moveRow(event.key === 'j' ? 1 : -1);
    else if (event.key === 'x')
      document.activeElement?.closest('[data-row]')?.querySelector<HTMLElement>('input')?.click();
    else {
      press(event);
      return;
    }
    event.preventDefault();
  });
}

/** Buttons and links name their key in `data-key`. */
function press(event: KeyboardEvent): void {
  if (!/^[a-z.]$/i.test(event.key)) return;
  const control = document.querySelector<HTMLElement>(`main [data-key="${event.key}"]:not(:disabled)`);
  if (control === null) return;
  event.preventDefault();
  control.click();
}

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>('main [data-search]');
  if (field === null) {
    go(linkTo(['topics'], { find: '1' }));
    return;
  }
  field.focus();
  field.select();
}

/** How many frames a row may take to be drawn: a busy machine needs more than one. */
const DRAWN_WITHIN_FRAMES = 10;

/** Rows outside of the screen are not in the page: near its edge the page scrolls first, and draws them. */
function moveRow(by: 1 | -1, framesLeft = DRAWN_WITHIN_FRAMES): void {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = at === -1 ? (rows.find((one) => one.getBoundingClientRect().top > 0) ?? rows[0]) : rows[at + by];
  if (row === undefined) {
    if (framesLeft === 0 || rows.length === 0) return;
    if (framesLeft === DRAWN_WITHIN_FRAMES) window.scrollBy(0, by * SCROLL_PX);
    requestAnimationFrame(() => moveRow(by, framesLeft - 1));
    return;
  }
  const control = row.querySelector<HTMLElement>('[data-open]') ?? row.querySelector<HTMLElement>('a, button, input');
  control?.focus();
  row.scrollIntoView({ block: 'nearest' });
}

function isSearch(element: HTMLElement): boolean {
  return element.hasAttribute('data-search');
}

function isTyping(element: HTMLElement): boolean {
  const isText =
    element instanceof HTMLInputElement && !['checkbox', 'radio', 'range', 'button'].includes(element.type);
  return isText || element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement;
}
