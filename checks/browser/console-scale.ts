// The console of a large cluster: it is there at once, few of its rows are in the page, and viewers do not cost the broker more than one does.

import assert from 'node:assert/strict';
import { ConsolePage } from './console-page.js';
import type { Stage } from './console-scenarios.js';

const DESK = { width: 1_280, height: 860 };
const SHOWN_ROWS = 80;
const MANY_ROWS = 150;
/** How long the first page of a large cluster may take. */
const FIRST_PAINT_MS = 1_000;
/** The best of them counts: what else runs on this machine only makes a load slower. */
const LOADS = 3;
/** More than a browser has connections to a server, which an event stream each would take. */
const MORE_TABS = 8;
const READS = 25;
const WATCHED_MS = 4_000;
/** Five groups a second with five requests each, the time of the broker each second, its lists now and then; and one second more. */
const MAX_CALLS_PER_MINUTE = 2_200;
/** Of one tab: the page each 5 s, the time each 10 s. The event stream is open all the time. */
const MAX_REQUESTS_PER_MINUTE = 20;

/** @param stage the world has more topics and groups than fit */
export async function runLargeConsole(stage: Stage): Promise<void> {
  const { checks } = stage;
  await checks.check('console: thousands of topics', () => onPage(stage, goThroughTopics));
  await checks.check('console: thousands of topics and groups are there within a second', () => onPage(stage, paint));
  await checks.check('console: the broker is not asked more by more tabs, nor the server more by each', () =>
    onPage(stage, openTabs),
  );
}

async function onPage(
  { browser, world }: Stage,
  work: (console: ConsolePage, world: Stage['world']) => Promise<void>,
): Promise<void> {
  const console = await ConsolePage.inNewContext(browser, { viewport: DESK });
  try {
    await console.enter(await world.openStandalone());
    await work(console, world);
    assert.deepEqual(console.errors, []);
  } finally {
    await console.close();
    await world.closeStandalones();
  }
}

async function goThroughTopics(console: ConsolePage): Promise<void> {
  await console.open('topics');
  await console.has('archive-0000');
  assert.ok((await console.page.locator('[data-row]').count()) < SHOWN_ROWS);
  for (let row = 0; row < MANY_ROWS; row++) await console.keys('j');
  await console.focused(console.page.getByRole('link', { name: `archive-${String(MANY_ROWS - 1).padStart(4, '0')}` }));
  await console.page.mouse.wheel(0, 1_000_000);
  await console.has('stock-moves');
  await console.keys('/');
  await console.page.keyboard.type('archive-1234');
  await console.rows(1);
}

async function paint(console: ConsolePage): Promise<void> {
  await console.page.addInitScript(noteFirstRow);
  for (const [path, shown] of [
    ['', 'Waiting messages'],
    ['topics', 'archive-0000'],
    ['groups', 'archiver-0000'],
  ]) {
    const loads = [];
    for (let load = 0; load < LOADS; load++) {
      await console.open(path ?? '');
      await console.has(shown ?? '');
      loads.push(await console.page.evaluate(firstPaint));
    }
    const best = Math.min(...loads.map(({ paintMs, rowMs }) => Math.max(paintMs, rowMs)));
    assert.ok(best < FIRST_PAINT_MS, `/${path} was not there within a second: ${JSON.stringify(loads)}`);
  }
}

/** In the page: when data was in it. */
function noteFirstRow(): void {
  new MutationObserver((_, observer) => {
    if (document.querySelector('[data-row], .facts') === null) return;
    window.firstRowMs = performance.now();
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
}

/** In the page. */
function firstPaint() {
  const [entry] = performance.getEntriesByName('first-contentful-paint');
  return { paintMs: entry?.startTime ?? Number.POSITIVE_INFINITY, rowMs: window.firstRowMs };
}

async function openTabs(console: ConsolePage, { calls }: Stage['world']): Promise<void> {
  await console.page.clock.install();
  await console.open('');
  await console.has('Waiting messages');
  await console.live();
  const one = await callsOf([console], calls);
  const tabs = [console];
  while (tabs.length <= MORE_TABS) {
    await tabs.at(-1)?.page.evaluate(hide);
    const more = new ConsolePage(console.context, await console.context.newPage());
    await more.enter(console.page.url());
    await more.live();
    tabs.push(more);
  }
  const several = await callsOf(tabs, calls);
  const text = `the broker was asked ${one} times a minute for one tab, ${several} times for ${tabs.length}`;
  assert.ok(one > 0 && Math.max(one, several) < MAX_CALLS_PER_MINUTE, text);
  for (const tab of tabs.slice(1)) {
    assert.deepEqual(tab.errors, []);
    await tab.page.close();
  }
  await console.page.evaluate(show);
  await console.live();
  let requests = 0;
  console.page.on('request', () => requests++);
  await console.page.clock.runFor('01:00');
  assert.ok(requests > 0 && requests <= MAX_REQUESTS_PER_MINUTE, `${requests} requests a minute`);
}

/** What the broker is asked per minute, while each tab asks the server as often as in some minutes. */
async function callsOf(tabs: readonly ConsolePage[], calls: Stage['world']['calls']): Promise<number> {
  calls.take();
  const isOver = new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
  await Promise.all(tabs.map(({ page }) => page.evaluate(readOverview, READS)));
  await isOver;
  return Math.round(calls.take());
}

/** In the page: another tab is in front, which Playwright does not let pages know. */
function hide(): void {
  Object.defineProperty(document, 'hidden', { value: true, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}

/** In the page. */
function show(): void {
  Object.defineProperty(document, 'hidden', { value: false, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}

/** In the page. */
async function readOverview(times: number): Promise<void> {
  for (let time = 0; time < times; time++) await fetch('api/overview');
}
