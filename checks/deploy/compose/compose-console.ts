// The console of compose.yaml: its address, and what it shows of the demo that has run.

import { networkInterfaces } from 'node:os';
import type { Checks } from '../../../tools/checks.js';
import { visitConsole } from '../../../tools/console-visit.js';
import { Service } from '../../../tools/process/service-process.js';
import { serviceOf } from './compose-loader.js';
import type { ComposeModel } from './compose-model.js';

const READY_MS = 30_000;
const STOP_MS = 10_000;
const PORT = /^--port=(\d+)$/;

/** The console prints the address that it listens on; the host opens that of the published port. */
export function lookAtConsole(model: ComposeModel, checks: Checks) {
  return checks.check('the console is published under the number of the port at which it listens', () => {
    const { command, ports = [] } = serviceOf(model, 'console');
    const listens = command.flatMap((arg) => PORT.exec(arg)?.[1] ?? []).join();
    const published = ports.map(({ published, target }) => `${published}:${target}`).join();
    if (published !== `${listens}:${listens}`) throw new Error(`it listens at ${listens}, published as ${published}`);
  });
}

/** @param demo a topic of it, and what one of its messages contains */
export async function openConsole(
  model: ComposeModel,
  { nameServer, cwd, topic, text }: { nameServer: string; cwd: string; topic: string; text: string },
): Promise<void> {
  const { command, environment } = serviceOf(model, 'console');
  const [, file = '', ...args] = command;
  const here = { ROCKETMQ_NAME_SERVER: nameServer };
  const env = { PATH: process.env.PATH, NODE_ENV: 'production', ...environment, ...here };
  const program = [file, ...args.map((arg) => (PORT.test(arg) ? '--port=0' : arg))] as const;
  const service = new Service('console', program, { cwd, env });
  try {
    const { consoleUrl } = await service.ready(READY_MS);
    // The host is not the loopback of a container.
    const ask = await visitConsole(consoleUrl, { host: outerAddress() });
    const { topics }: { topics: { topic: string }[] } = await ask('/topics');
    if (!topics.some((one) => one.topic === topic))
      throw new Error(`it does not show ${topic}: ${JSON.stringify(topics)}`);
    const { messages }: { messages: { body: { text?: string } }[] } = await ask(`/topics/${topic}/messages`);
    if (!messages.some(({ body }) => body.text?.includes(text)))
      throw new Error(`no message of ${topic} contains ${text}: ${JSON.stringify(messages)}`);
  } finally {
    await service.stop(STOP_MS);
  }
}

/** An address of this machine that is not a loopback one, where it has one. */
function outerAddress() {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}
