// A watcher of order-demo's live steps that is far behind.

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { sql } from 'kysely';
import { MINUTE_MS } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { createOrderDemo } from '../../apps/order-demo/src/app.js';
import { ORDER_DATABASE, type OrderDatabase } from '../../apps/order-demo/src/database/order-database.js';

const STEPS = 16_000;
/** With a pause after each page it would take longer than this; without, only a fraction. */
const TIMEOUT_MS = 50_000;

let broker: TestBroker;
let app: INestApplication;

beforeAll(async () => {
  broker = await TestBroker.start({ manualClock: true });
  const { endpoints, clock } = broker;
  const options = { endpoints, clock, dataFolder: undefined, paymentTimeoutMs: MINUTE_MS };
  app = await createOrderDemo(options, ['error', 'fatal']);
  await app.listen(0, '127.0.0.1');
});
afterAll(async () => {
  await app?.close();
  await broker?.stop();
});

it(
  'receives everything that it missed, page after page, without a pause between them',
  async () => {
    const { db } = app.get<OrderDatabase>(ORDER_DATABASE);
    const id = 'c0ffee00-0000-4000-8000-000000000000';
    await sql`insert into orders (id, sku, quantity, status, created_at, expires_at)
      values (${id}, 'book', 1, 'PAID', now(), now())`.execute(db);
    await sql`insert into order_history (order_id, at, what, status)
      select ${id}, now(), 'a step', 'PAID' from generate_series(1, ${sql.lit(STEPS)})`.execute(db);
    const closing = new AbortController();
    const response = await fetch(`${await app.getUrl()}/events?after=0.-`, { signal: closing.signal });
    const text = await textUntil(response, `id: ${STEPS}.-\ndata:`);
    closing.abort();
    const received = [...text.matchAll(/^id: (\d+)\.-\ndata: \{"service"/gm)].map(([, number]) => Number(number));
    expect(received).toEqual(Array.from({ length: STEPS }, (_, index) => index + 1));
  },
  TIMEOUT_MS,
);

/** Everything received up to a line. */
async function textUntil({ body }: Response, line: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body ?? []) {
    const from = Math.max(0, text.length - line.length);
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.includes(line, from)) return text;
  }
  throw new Error('the stream has ended');
}
