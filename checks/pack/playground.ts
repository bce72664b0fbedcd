// The project that `nestjs-rocketmq new` writes: its test, and one order through both services into the console.

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../tools/process/run-command.js';
import { Command } from './command.js';

const SEEN_MS = 10_000;

/** @param env in which npm finds both packages */
export async function installPlayground(env: NodeJS.ProcessEnv, folder: string): Promise<string> {
  const beside = join(folder, 'playground');
  rmSync(beside, { recursive: true, force: true });
  mkdirSync(beside);
  await run('npx', ['nestjs-rocketmq', 'new', 'shop'], { cwd: beside, env });
  return join(beside, 'shop');
}

export function playgroundChecks(home: string): { name: string; run: () => Promise<void> }[] {
  return [
    { name: 'playground: npm test moves the time', run: async () => void (await run('npm', ['test'], { cwd: home })) },
    { name: 'playground: npm start shows an order in the console', run: () => order(home) },
  ];
}

async function order(home: string): Promise<void> {
  const shop = new Command(home, ['npm', 'start']);
  try {
    const orders = await shop.printed(/^Orders +(\S+)$/m);
    const stock = await shop.printed(/^Stock +(\S+)$/m);
    const console = await shop.printed(/^Console +(\S+)$/m);
    const { id } = await json(`${orders}/tea`, { method: 'POST' });
    await until(async () => (await json(orders))[0].status === 'reserved', 'the order is not reserved');
    const { messages } = await json(`${console}/api/delayed`);
    if (messages.length !== 1 || messages[0].keys[0] !== id) throw new Error(JSON.stringify(messages));
    const left = await json(stock);
    if (left.tea !== 9) throw new Error(JSON.stringify(left));
  } finally {
    await shop.stop();
  }
}

async function json(url: string, request: RequestInit = {}) {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(SEEN_MS) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return JSON.parse(text);
}

async function until(holds: () => Promise<boolean>, problem: string): Promise<void> {
  for (const end = Date.now() + SEEN_MS; !(await holds()); await new Promise((resolve) => setTimeout(resolve, 50)))
    if (Date.now() > end) throw new Error(problem);
}
