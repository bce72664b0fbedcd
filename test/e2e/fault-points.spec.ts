// Each demo is killed at a named point inside the library, started again by its launcher, and must still bring every order to
// its end. Real processes, real time.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { copyTree, DemoRun, removeTree, until } from '../processes/demo-tree.js';
import { type OrderView, openOrders, request, type StockView, stockViolations } from './support/demo-pair.js';

const TIMEOUT_MS = 150_000;

interface Scenario {
  /** Where the process dies. */
  readonly point: string;
  /** Whether the order is paid as soon as it can be; else its time-out ends it. */
  readonly isPaid: boolean;
  /** How the order ends; undefined when it must not exist. */
  readonly end: OrderView['status'] | undefined;
  /** What the server must be told when it asks how the transaction ended. */
  readonly checked?: 'commit' | 'rollback';
  /** What the history must hold once the message has come again. */
  readonly comesAgain?: { readonly what: string; readonly attempt: number };
}

const SCENARIOS: readonly Scenario[] = [
  // After the half message: nothing was committed, so the order must not exist, nor its message.
  { point: 'half-sent:order-created', isPaid: false, end: undefined, checked: 'rollback' },
  // After the local commit, before its end is sent: only the check knows.
  { point: 'local-transaction-done:order-paid', isPaid: true, end: 'PAID', checked: 'commit' },
  { point: 'local-transaction-done:stock-result', isPaid: false, end: 'CANCELLED', checked: 'commit' },
  // After the end, inside the handler of the time-out: it comes again and must do nothing.
  {
    point: 'transaction-ended:stock-return',
    isPaid: false,
    end: 'CANCELLED',
    comesAgain: { what: 'time-out came too late', attempt: 2 },
  },
  // After the handler's commit, before the ack.
  {
    point: 'handled-before-ack:order-timeout',
    isPaid: false,
    end: 'CANCELLED',
    comesAgain: { what: 'time-out came too late', attempt: 2 },
  },
];

describe('a demo that is killed', () => {
  let copy: string;
  let run: DemoRun | undefined;

  beforeAll(async () => {
    copy = await copyTree();
  }, TIMEOUT_MS);
  afterEach(async () => {
    await run?.end();
    run = undefined;
  }, TIMEOUT_MS);
  afterAll(() => removeTree(copy));

  it.each(SCENARIOS)(
    'at $point comes to the same end',
    async (scenario) => {
      const { point, isPaid, end, checked, comesAgain } = scenario;
      const marker = join(copy, `reached-${point.replace(':', '-')}`);
      run = await DemoRun.start(copy, {
        DEMO_DATA_DIR: join(copy, 'data'),
        DEMO_FAULT_POINT: point,
        DEMO_FAULT_MARKER: marker,
        // Long enough to pay in, whatever the machine does meanwhile; short enough to wait for.
        ORDER_PAYMENT_TIMEOUT: isPaid ? '10m' : '2s',
      });
      await run.ready();
      const { orderUrl, inventoryUrl } = run;
      const orders = () => quietly<OrderView[]>(`${orderUrl}/orders`, []);
      const stock = () => quietly<StockView[]>(`${inventoryUrl}/stock`, []);
      const soldBefore = sold(await stock());
      const knownIds = (await orders()).map(({ id }) => id);
      const fresh = async () => (await orders()).filter(({ id }) => !knownIds.includes(id));

      await request(`${orderUrl}/orders`, 'POST', { sku: 'book', quantity: 1 }).catch(() => {});
      if (isPaid) {
        await until('the order is payable', async () => (await fresh())[0]?.status === 'PENDING_PAYMENT');
        const [order] = await fresh();
        await request(`${orderUrl}/orders/${order?.id}/pay`, 'POST').catch(() => {});
      }
      await until(`${point} is reached`, () => existsSync(marker));
      const [wantedPoint, wantedTopic] = point.split(':');
      expect(JSON.parse(readFileSync(marker, 'utf8'))).toMatchObject({ point: wantedPoint, topic: wantedTopic });

      await until('the app is back', async () => (await healthy(orderUrl)) && (await healthy(inventoryUrl)));
      const wantedSold = soldBefore + (isPaid ? 1 : 0);
      await until('everything is settled', async () => {
        const rows = await stock();
        const isSettled = rows.length > 0 && rows.every(({ reserved }) => reserved === 0) && sold(rows) === wantedSold;
        return (
          isSettled && openOrders(await fresh()).length === 0 && (end === undefined || (await fresh()).length === 1)
        );
      });
      if (checked !== undefined) {
        const asked = new RegExp(`the server asked about \\w+ on ${wantedTopic}: ${checked}`);
        await until(`the check is answered by ${checked}`, () => asked.test((run as DemoRun).output));
      }
      if (comesAgain !== undefined) {
        const [order] = await fresh();
        const history = async () => (await request<OrderView>(`${orderUrl}/orders/${order?.id}`, 'GET')).body.history;
        const isThere = (entry: OrderView['history'][number]) =>
          entry.what === comesAgain.what && entry.attempt === comesAgain.attempt;
        await until('the message has come again', async () => (await history()).some(isThere));
      }
      expect(stockViolations(await stock())).toEqual([]);
      expect((await fresh()).map(({ status }) => status)).toEqual(end === undefined ? [] : [end]);
    },
    150_000,
  );
});

function sold(stock: readonly StockView[]): number {
  return stock.reduce((sum, row) => sum + row.sold, 0);
}

async function healthy(url: string): Promise<boolean> {
  return (await quietly<{ readonly status?: string }>(`${url}/health`, {})).status === 'ok';
}

/** The answer, or `otherwise` while the app is down. */
async function quietly<T>(url: string, otherwise: T): Promise<T> {
  try {
    const { status, body } = await request<T>(url, 'GET');
    return status === 200 ? body : otherwise;
  } catch {
    return otherwise;
  }
}
