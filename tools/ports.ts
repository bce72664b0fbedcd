// Ports for a run: a block that no other run has, and whether a port is free. What listens on them is not known here.

import { connect, createServer, type Server } from 'node:net';

/** Below the ephemeral ranges of Linux and macOS, so that no outgoing connection sits on one of them. */
const FIRST = 20_000;
const LAST = 30_000;
const BLOCK = 10;

/**
 * Takes a block of free ports. The lock is a listening socket on its last port: the kernel lets go of it when this process
 * ends, however it ends.
 * @returns nine ports from `first` on
 */
export async function takePortBlock(): Promise<{ first: number; release: () => Promise<void> }> {
  const start = Math.floor((Math.random() * (LAST - FIRST)) / BLOCK) * BLOCK;
  const blocks = (LAST - FIRST) / BLOCK;
  for (let step = 0; step < blocks; step++) {
    const first = FIRST + ((start + step * BLOCK) % (LAST - FIRST));
    const lock = await listen(first + BLOCK - 1);
    if (lock === undefined) continue;
    const free = await Promise.all(Array.from({ length: BLOCK - 1 }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return { first, release: () => closed(lock) };
    await closed(lock);
  }
  throw new Error(`no ${BLOCK} free ports in a row between ${FIRST} and ${LAST}`);
}

/** @param port whether nothing listens on it, on any address of this machine */
export async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server === undefined) return false;
  await closed(server);
  return true;
}

/** @returns whether something on this machine accepts connections there */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** @returns undefined when the port is taken */
function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen(port, () => {
      server.unref();
      resolve(server);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
