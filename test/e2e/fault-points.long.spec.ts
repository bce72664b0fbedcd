// Each demo is killed at a named point of the library and restarted by its launcher, and every order must still reach its final state.
// Real processes, real time.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Semaphore } from '../../libs/rocketmq/src/support/semaphore.js';
import { copyTree, DemoRun, removeTree, until } from '../processes/demo-tree.js';
import { type OrderView, openOrders, request, type StockView, stockViolations } from './support/demo-pair.js';

/** Includes a build, waiting for a free slot, and the scenario itself. */
const TIMEOUT_MS = 300_000;

interface Scenario {
  /** The point at which the process is killed. */
  readonly point: string;
  /** Whether the order is paid as soon as possible; otherwise it times out. */
  readonly isPaid: boolean;
  /** The final state of the order; undefined if it must not exist. */
  readonly end: OrderView['status'] | undefined;
  /** The expected answer to the transaction check. */
  readonly checked?: 'commit' | 'rollback';
  /** A line that the history must contain after the message was redelivered. */
  readonly comesAgain?: { readonly what: string; readonly attempt: number };
}

const SCENARIOS: readonly Scenario[] = [
  // After the half message: nothing was committed, so neither the order nor its message may exist.
  { point: 'half-sent:order-created', isPaid: false, end: undefined, checked: 'rollback' },
  // After the local commit, before the commit is sent: only the check can resolve it.
  { point: 'local-transaction-done:order-paid', isPaid: true, end: 'PAID', checked: 'commit' },
  { point: 'local-transaction-done:stock-result', isPaid: false, end: 'CANCELED', checked: 'commit' },
  { point: 'local-transaction-done:stock-return', isPaid: false, end: 'CANCELED', checked: 'commit' },
  // Inside the handler of the time-out: the message is redelivered and must have no further effect.
  {
    point: 'transaction-ended:stock-return',
    isPaid: false,
    end: 'CANCELED',
    comesAgain: { what: 'time-out came too late', attempt: 2 },
  },
  // After the handler's commit, before the ack.
  {
    point: 'handled-before-ack:order-timeout',
    isPaid: false,
    end: 'CANCELED',
    comesAgain: { what: 'time-out came too late', attempt: 2 },
  },
];

// Most of the time is spent waiting for leases and checks, so two demos run in parallel, each in its own directory.
const LANES = 2;
const lanes = new Semaphore(LANES);
const freeTrees: string[] = [];
const trees: string[] = [];

afterAll(() => {
  for (const tree of trees) removeTree(tree);
});

describe('a demo that is killed', () => {
  it.concurrent.each(SCENARIOS)(
    'at $point comes to the same end',
    async (scenario) => {
      const leave = await lanes.acquire();
      // Not in beforeAll, because concurrent tests do not wait for it.
      const tree = freeTrees.pop() ?? (await copyTree());
      if (!trees.includes(tree)) trees.push(tree);
      const marker = join(tree, `reached-${scenario.point.replace(':', '-')}`);
      const run = await DemoRun.start(tree, {
        DEMO_DATA_DIR: join(tree, 'data'),
        DEMO_FAULT_POINT: scenario.point,
        DEMO_FAULT_MARKER: marker,
        // Long enough to pay even on a busy machine, and short enough to wait for.
        ORDER_PAYMENT_TIMEOUT: scenario.isPaid ? '10m' : '2s',
      });
      try {
        await play(scenario, run, marker);
      } catch (error) {
        throw new Error(`npm start had printed:\n${run.output}`, { cause: error });
      } finally {
        await run.end();
        freeTrees.push(tree);
        leave();
      }
    },
    TIMEOUT_MS,
  );
});

async function play({ point, isPaid, end, checked, comesAgain }: Scenario, run: DemoRun, marker: string) {
  await run.ready();
  const demo = new Observer(run);
  const known = await demo.orders();
  const soldBefore = await demo.sold();
  const fresh = async () => (await demo.orders()).filter(({ id }) => known.every((order) => order.id !== id));

  // The app may be killed before it answers.
  await request(`${run.orderUrl}/orders`, 'POST', { sku: 'book', quantity: 1 }).catch(() => {});
  if (isPaid) {
    await until('the order is payable', async () => (await fresh())[0]?.status === 'PENDING_PAYMENT');
    const [order] = await fresh();
    await request(`${run.orderUrl}/orders/${order?.id}/pay`, 'POST').catch(() => {});
  }
  await until(`${point} is reached`, () => existsSync(marker));
  const [wantedPoint, wantedTopic] = point.split(':');
  expect(JSON.parse(readFileSync(marker, 'utf8'))).toMatchObject({ point: wantedPoint, topic: wantedTopic });

  await until('both apps are back', () => demo.isHealthy());
  if (checked !== undefined) {
    const asked = new RegExp(
      `the server asked how a transaction ended .*topic: '${wantedTopic}'.*resolution: '${checked}'`,
    );
    await until(`the check is answered by ${checked}`, () => asked.test(stripVTControlCharacters(run.output)));
  }
  if (comesAgain !== undefined) {
    await until('the message has been redelivered', async () => {
      const history = await demo.history((await fresh())[0]?.id);
      return history.some(({ what, attempt }) => what === comesAgain.what && attempt === comesAgain.attempt);
    });
  }
  const wantedSold = soldBefore + (isPaid ? 1 : 0);
  await until('everything is settled', async () => (await demo.isSettled()) && (await demo.sold()) === wantedSold);
  expect(stockViolations(await demo.stock())).toEqual([]);
  expect((await fresh()).map(({ status }) => status)).toEqual(end === undefined ? [] : [end]);
}

/** Reads a demo whose apps may be unavailable at any moment. */
class Observer {
  constructor(private readonly run: DemoRun) {}

  orders(): Promise<OrderView[]> {
    return quietly(`${this.run.orderUrl}/orders`, []);
  }

  async history(id: string | undefined): Promise<OrderView['history']> {
    return (await quietly<Partial<OrderView>>(`${this.run.orderUrl}/orders/${id}`, {})).history ?? [];
  }

  stock(): Promise<StockView[]> {
    return quietly(`${this.run.inventoryUrl}/stock`, []);
  }

  async sold(): Promise<number> {
    return (await this.stock()).reduce((sum, row) => sum + row.sold, 0);
  }

  async isHealthy(): Promise<boolean> {
    const urls = [this.run.orderUrl, this.run.inventoryUrl];
    const answers = urls.map((url) => quietly<{ readonly status?: string }>(`${url}/health/ready`, {}));
    return (await Promise.all(answers)).every(({ status }) => status === 'ok');
  }

  /** Whether nothing is reserved and every order has ended. */
  async isSettled(): Promise<boolean> {
    const rows = await this.stock();
    return (
      rows.length > 0 && rows.every(({ reserved }) => reserved === 0) && openOrders(await this.orders()).length === 0
    );
  }
}

/** The answer, or `otherwise` while the app is unavailable. */
async function quietly<T>(url: string, otherwise: T): Promise<T> {
  try {
    const { status, body } = await request<T>(url, 'GET');
    return status === 200 ? body : otherwise;
  } catch {
    return otherwise;
  }
}
