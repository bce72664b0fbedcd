// `npm start` as a user meets it: what it prints, how it ends, and that it leaves nothing behind.

import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { copyTree, DemoRun, removeTree, until } from './demo-tree.js';

const TIMEOUT_MS = 150_000;

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
      expect(run.output).toContain('keeps messages in memory');
      expect(run.output.match(/^ {2}curl /gm)).toHaveLength(3);
      const health = await Promise.all([run.orderUrl, run.inventoryUrl].map((url) => fetch(`${url}/health`)));
      expect(health.map(({ status }) => status)).toEqual([200, 200]);
      const launcher = await run.launcher();
      expect((await run.processes()).length).toBe(4);
      process.kill(launcher, 'SIGINT');
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
