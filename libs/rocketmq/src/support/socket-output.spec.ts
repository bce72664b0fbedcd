// What of a connection counts as written when its socket ends.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SocketOutput } from './socket-output.js';

/** More than the system takes from a socket whose peer reads nothing. */
const TOO_MUCH = Buffer.alloc(64 * 1024 * 1024);

let server: Server;
let socket: Socket;
let peer: Socket;

beforeEach(async () => {
  server = createServer({ pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  [[peer]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [[Socket], unknown];
});

afterEach(async () => {
  socket.destroy();
  peer.destroy();
  server.close();
  await once(server, 'close');
});

describe('what is written to a socket', () => {
  const writtenAfter = (bytes: Buffer, end: () => void): Promise<boolean> => {
    const output = new SocketOutput(socket);
    output.raw(bytes);
    const written = new Promise<boolean>((resolve) => output.whenWritten(resolve));
    output.flush();
    end();
    return written;
  };

  it('has left the process when the system took it', async () => {
    expect(await writtenAfter(Buffer.from('small'), () => {})).toBe(true);
  });

  it('has not left the process when the end of the socket interrupts it', async () => {
    expect(await writtenAfter(TOO_MUCH, () => socket.destroy())).toBe(false);
  });

  it('has not left the process when the peer breaks the connection meanwhile', async () => {
    socket.on('error', () => {});
    expect(await writtenAfter(TOO_MUCH, () => peer.resetAndDestroy())).toBe(false);
  });

  it('has not left the process when the socket had ended before', async () => {
    socket.destroy();
    expect(await writtenAfter(Buffer.from('late'), () => {})).toBe(false);
  });
});
