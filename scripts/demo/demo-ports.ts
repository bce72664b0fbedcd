// Ports of the demo: read from the environment, and checked before anything starts.

import { createServer } from 'node:net';

export function portFrom(env: NodeJS.ProcessEnv, variable: string, otherwise: number): number {
  const text = env[variable];
  if (text === undefined || text === '') return otherwise;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw new Error(`${variable} must be a port from 1 to 65535, not "${text}"`);
}

/** Below those that systems give to outgoing connections, so that none of these takes the port before it is used. */
const FREE_PORTS = { first: 12_000, count: 18_000 };

/** A port that nobody has. */
export async function freePort(): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = FREE_PORTS.first + Math.floor(Math.random() * FREE_PORTS.count);
    const probe = createServer();
    const isFree = await new Promise((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(true));
    });
    if (isFree) await new Promise((resolve) => probe.close(resolve));
    if (isFree) return port;
    if (tries === 100) throw new Error('no free port was found');
  }
}

/** @param user who wants the port */
export async function assertPortFree(port: number, variable: string, user: string): Promise<void> {
  const probe = createServer();
  await new Promise((resolve, reject) => {
    probe.once('error', (error) => {
      const busy = `port ${port} for ${user} is busy; choose another with ${variable}=<port> npm start`;
      reject((error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? new Error(busy) : error);
    });
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(undefined));
  });
  await new Promise((resolve) => probe.close(resolve));
}
