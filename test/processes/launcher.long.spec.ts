// `npm start`: its output, how it ends, and that it leaves no processes behind.

import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { copyTree, DemoRun, removeTree, until } from './demo-tree.js';

const TIMEOUT_MS = 150_000;

const get = async (url: string): Promise<unknown> => (await fetch(url)).json();

describe('npm start', () => {
  let copy: string;
  let run: DemoRun | undefined;
  let busy: Server | undefined;

  beforeAll(async () => {
    copy = await copyTree();
  }, TIMEOUT_MS);
  afterEach(async () => {
    await run?.end();
    run = undefined;
    busy?.close();
  }, TIMEOUT_MS);
  afterAll(() => removeTree(copy));

  it(
    'starts a broker and both apps, says where they are, and ends all of them at Ctrl-C',
    async () => {
      run = await DemoRun.start(copy, { DEMO_DATA_DIR: join(copy, 'data') });
      await run.ready();
      expect(run.output).toContain(run.orderUrl);
      expect(run.output).toContain(run.inventoryUrl);
      expect(run.output).toContain(`kept in ${join(copy, 'data')}`);
      expect(run.output.match(/^ {2}curl /gm)).toHaveLength(3);
      const health = await Promise.all([run.orderUrl, run.inventoryUrl].map((url) => fetch(`${url}/health/ready`)));
      expect(health.map(({ status }) => status)).toEqual([200, 200]);
      const launcher = await run.launcher();
      expect((await run.processes()).length).toBe(4);
      process.kill(launcher, 'SIGINT');
      await run.exited;
      expect(await run.processes()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'goes on at the next start where Ctrl-C ended it: orders, stock and the time-outs that were pending',
    async () => {
      const env = { DEMO_DATA_DIR: join(copy, 'kept'), ORDER_PAYMENT_TIMEOUT: '6s' };
      run = await DemoRun.start(copy, env);
      await run.ready();
      const stockBefore = await get(`${run.inventoryUrl}/stock`);
      const order = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"sku":"book","quantity":1}',
      };
      const { id } = (await (await fetch(`${run.orderUrl}/orders`, order)).json()) as { id: string };
      expect(id).toBeDefined();
      process.kill(await run.launcher(), 'SIGINT');
      await run.exited;
      run = await DemoRun.start(copy, env);
      await run.ready();
      const url = `${run.orderUrl}/orders/${id}`;
      await until('the time-out cancels the order', async () => {
        return ((await get(url)) as { status: string }).status === 'CANCELED';
      });
      const { inventoryUrl } = run;
      await until('the stock is back', async () => {
        return JSON.stringify(await get(`${inventoryUrl}/stock`)) === JSON.stringify(stockBefore);
      });
      process.kill(await run.launcher(), 'SIGINT');
      await run.exited;
    },
    TIMEOUT_MS,
  );

  it(
    'starts inventory-demo again when a visitor of the page has stopped it, however often',
    async () => {
      run = await DemoRun.start(copy, { DEMO_DATA_DIR: join(copy, 'data') });
      await run.ready();
      const { orderUrl, inventoryUrl } = run;
      const isUp = async () => (await fetch(`${inventoryUrl}/health/ready`).catch(() => undefined))?.ok === true;
      // More crashes than the launcher tolerates per minute.
      for (let times = 1; times <= 6; times++) {
        expect((await fetch(`${orderUrl}/faults/stop-inventory`, { method: 'POST' })).status).toBe(202);
        const restarts = () => run?.output.match(/inventory-demo ended \(as asked for\); starting it again/g) ?? [];
        await until('it has ended', () => restarts().length === times);
        await until('it is back', isUp);
      }
      process.kill(await run.launcher(), 'SIGINT');
      await run.exited;
      expect(await run.processes()).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it.each(['npm', 'the launcher'])(
    'leaves no process when %s is killed',
    async (victim) => {
      run = await DemoRun.start(copy, { DEMO_DATA_DIR: join(copy, 'data') });
      await run.ready();
      const launcher = await run.launcher();
      if (victim === 'npm') run.signalNpm('SIGKILL');
      else process.kill(launcher, 'SIGKILL');
      await until('nothing is left', async () => (await (run as DemoRun).processes()).length === 0);
    },
    TIMEOUT_MS,
  );

  it('names a busy port and the variable that chooses another', async () => {
    busy = createServer();
    await new Promise<void>((resolve) => busy?.listen(0, '127.0.0.1', resolve));
    const port = (busy.address() as { port: number }).port;
    run = await DemoRun.start(copy, { INVENTORY_PORT: String(port) });
    expect(await run.exited).toBe(1);
    expect(run.output).toContain(`port ${port} for inventory-demo is busy`);
    expect(run.output).toContain('INVENTORY_PORT=');
  });
});
