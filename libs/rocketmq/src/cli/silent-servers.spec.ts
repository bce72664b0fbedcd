// Servers that accept connections and never answer: suspended, or cut off behind a load balancer.

import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { call, words } from '../../../../test/fixtures/command-line.js';
import { startScriptedServer } from '../../../../test/fixtures/scripted-remoting-server.js';

const sockets = new Set<Socket>();
let server: Server;
let silent: string;

beforeEach(async () => {
  server = createServer((socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  silent = `127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await new Promise((resolve) => server.close(resolve));
});

describe('a command on a server that never answers', () => {
  it.each([
    'topic list',
    'group list',
    'lag billing',
    'message list orders',
    'message delayed',
    'message trail orders A1',
    'dlq list billing',
    'dlq replay billing --yes',
    'topic create orders --type normal',
    'topic delete orders --yes',
  ])('names the name server, and says that nothing happened: %s', async (line) => {
    const { code, out, err } = await call(words(`${line} --timeout 300 --name-server ${silent}`));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^\[DEADLINE_EXCEEDED\] .* did not finish within 300 ms/);
    expect(err).toContain(`: no answer from ${silent}; nothing took effect`);
  });

  it('names the broker where the name server answers', async () => {
    const route = JSON.stringify({
      brokerAddrTable: { a: { cluster: 'c', brokerName: 'a', brokerAddrs: { 0: silent } } },
      clusterAddrTable: { c: ['a'] },
    });
    const names = await startScriptedServer(() => ({ body: route }));
    const { code, err } = await call(words(`group list --timeout 300 --name-server ${names.address}`));
    await names.close();
    expect(code).toBe(1);
    expect(err).toContain(silent);
    expect(err).not.toContain(names.address);
  });
});
