// When a run may end. A test server responds in place of the demos.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import type { Status } from './facts.js';
import { Settlement } from './settlement.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

interface Shown {
  readonly status: Status;
  readonly history: readonly string[];
  readonly steps: readonly string[];
  readonly reserved?: number;
}

/** What is open when both demos show this for their only order. */
async function openOf({ status, history, steps, reserved = 0 }: Shown): Promise<string[]> {
  const answers = new Map<string, unknown>([
    ['/orders', [{ id: 'a', status }]],
    ['/orders/a', { id: 'a', status, history: history.map((what) => ({ what })) }],
    ['/stock', [{ sku: 'book', available: 10 - reserved, reserved, sold: 0 }]],
    ['/stock/history?after=0', steps.map((what, index) => ({ id: index + 1, orderId: 'a', what }))],
  ]);
  // One check without waiting.
  return (await settlementOf((path) => answers.get(path))).settled([], 0);
}

/** @param answerOf what both demos answer; undefined for an empty list */
async function settlementOf(answerOf: (path: string) => unknown): Promise<Settlement> {
  const server = createServer((request, response) => {
    response.setHeader('connection', 'close');
    response.end(JSON.stringify(answerOf(request.url ?? '') ?? []));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return new Settlement(url, url, new AbortController().signal);
}

it.each<[string, Shown, string[]]>([
  ['an order that is paid', { status: 'PAID', history: [], steps: ['reserved', 'sold'] }, []],
  ['one whose stock is not sold yet', { status: 'PAID', history: [], steps: ['reserved'] }, ['its stock is not sold']],
  [
    'one that has not ended',
    { status: 'PENDING_STOCK', history: ['created'], steps: [] },
    ['order a is PENDING_STOCK'],
  ],
  [
    'one that was canceled and has heard of its stock',
    { status: 'CANCELED', history: ['stock reserved, too late'], steps: ['reserved', 'returned'] },
    [],
  ],
  [
    'one whose answer is still on its way when its stock has returned',
    { status: 'CANCELED', history: ['created'], steps: ['reserved', 'returned'] },
    ['order a has not heard of its stock'],
  ],
  [
    'one whose return came first',
    { status: 'CANCELED', history: ['created'], steps: ['returned before the reservation'] },
    [],
  ],
  [
    'pieces that are still held',
    { status: 'PAID', history: [], steps: ['reserved', 'sold'], reserved: 2 },
    ['book: 2 reserved'],
  ],
])('of %s it returns what is open', async (_what, shown, open) => {
  expect(await openOf(shown)).toEqual(open.map((text) => expect.stringContaining(text)));
});

it('sees a step that was committed after one with a higher id', async () => {
  let looks = 0;
  const settlement = await settlementOf((path) => {
    if (path === '/orders') return [{ id: 'a', status: 'PAID' }];
    if (path !== '/stock/history?after=0') return undefined;
    looks++;
    const sold = { id: 1, orderId: 'a', what: 'sold' };
    const reserved = { id: 2, orderId: 'a', what: 'reserved' };
    return looks === 1 ? [reserved] : [sold, reserved];
  });
  expect(await settlement.settled([], 10_000)).toEqual([]);
});
