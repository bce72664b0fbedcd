import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  encodeAnswer,
  type ScriptedReply,
  type ScriptedRequest,
  startScriptedServer,
} from '../../../../test/fixtures/scripted-remoting-server.js';
import { until } from '../../../../tools/until.js';
import { CredentialsSource } from '../protocol/credentials/credentials.js';
import { withDeadline, withNotedEffects } from '../support/deadline.js';
import { silentLogger } from '../support/logger.js';
import { RemotingClient } from './remoting-client.js';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const serverThat = async (reply: (request: ScriptedRequest, socket: Socket) => ScriptedReply) => {
  const server = await startScriptedServer(reply);
  cleanups.push(() => server.close());
  return server;
};

const newClient = (maxFrameBytes?: number) => {
  const client = new RemotingClient({
    connectTimeoutMs: 2000,
    ...(maxFrameBytes === undefined ? {} : { maxFrameBytes }),
  });
  cleanups.push(() => client.close());
  const call = (address: string, code: number, timeoutMs = 2000, signal?: AbortSignal): Promise<string> =>
    withDeadline(`request ${code}`, timeoutMs, signal, async (deadline) =>
      (await client.call(address, { code }, deadline)).body.toString(),
    );
  return { client, call };
};

describe('RemotingClient', () => {
  it('gives each caller its own answer when answers come in another order', async () => {
    const waiting: Buffer[] = [];
    const server = await serverThat(({ opaque, code }, socket) => {
      waiting.unshift(encodeAnswer(opaque, { body: `answer to ${code}` }));
      if (waiting.length === 3) socket.write(Buffer.concat(waiting));
      return undefined;
    });
    const { call } = newClient();

    await expect(Promise.all([1, 2, 3].map((code) => call(server.address, code)))).resolves.toEqual([
      'answer to 1',
      'answer to 2',
      'answer to 3',
    ]);
  });

  it('counts requests on from the first number after the last one, and leaves out those that are still awaited', async () => {
    const waiting: (() => void)[] = [];
    const server = await serverThat(({ opaque, code }, socket) => {
      // As Java and Go read it: anything else ends the connection.
      if (!Number.isInteger(opaque) || opaque !== (opaque | 0)) {
        socket.destroy();
        return undefined;
      }
      if (code !== 1) return { body: `${code}` };
      waiting.push(() => socket.write(encodeAnswer(opaque, { body: 'the long one' })));
      return undefined;
    });
    const { client, call } = newClient();
    const long = call(server.address, 1, 60_000);
    const connection = await withDeadline('connect', 2_000, undefined, (deadline) =>
      client.connected(server.address, deadline),
    );
    connection.nextOpaque = 2 ** 31 - 3;
    await until(() => waiting.length === 1);
    const codes = [11, 12, 13, 14, 15, 16];
    await expect(Promise.all(codes.map((code) => call(server.address, code)))).resolves.toEqual(codes.map(String));
    for (const answer of waiting) answer();
    await expect(long).resolves.toBe('the long one');
    expect(server.requests.map(({ opaque }) => opaque)).toEqual([1, 2 ** 31 - 3, 2 ** 31 - 2, 2 ** 31 - 1, 2, 3, 4]);
  });

  it('ignores an answer with another number', async () => {
    const server = await serverThat(({ opaque }, socket) => {
      socket.write(encodeAnswer(opaque + 100, { body: 'not yours' }));
      return { body: 'yours' };
    });
    const { call } = newClient();

    await expect(call(server.address, 1)).resolves.toBe('yours');
  });

  it('fails a call at its deadline with outcome unknown, and drops the late answer', async () => {
    const late: (() => void)[] = [];
    const server = await serverThat(({ opaque, code }, socket) => {
      if (code !== 1) return { body: 'second' };
      late.push(() => socket.write(encodeAnswer(opaque, { body: 'first' })));
      return undefined;
    });
    const { call } = newClient();

    await expect(call(server.address, 1, 50)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'unknown' });
    for (const send of late) send();
    await expect(call(server.address, 2)).resolves.toBe('second');
  });

  it('fails a call with the reason of its signal', async () => {
    const abort = new AbortController();
    const reason = new Error('the user went home');
    const server = await serverThat(() => {
      abort.abort(reason);
      return undefined;
    });
    const { call } = newClient();

    await expect(call(server.address, 1, 2000, abort.signal)).rejects.toBe(reason);
  });

  it('fails pending calls when the server disconnects, and reconnects for the next one', async () => {
    let first = true;
    const server = await serverThat((_, socket) => {
      if (!first) return { body: 'back' };
      first = false;
      socket.destroy();
      return undefined;
    });
    const { call } = newClient();

    await expect(call(server.address, 1)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'unknown',
      retryable: true,
    });
    await expect(call(server.address, 1)).resolves.toBe('back');
  });

  it('fails pending calls as soon as the server has sent its end, also when it reads nothing', async () => {
    const sockets: Socket[] = [];
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket.pause());
      socket.on('error', () => {});
      setTimeout(() => socket.end(), 100);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    const { client } = newClient();
    // More than fits into the buffers of the system.
    const request = { code: 1, body: Buffer.alloc(16 * 1024 * 1024) };
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ended = withDeadline('request', 60_000, undefined, (deadline) => client.call(address, request, deadline));
    await expect(ended).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'unknown',
      message: expect.stringContaining('the server closed the connection'),
    });
  });

  it('reports that nothing was sent when nothing listens, and names the address', async () => {
    const server = await startScriptedServer(() => undefined);
    await server.close();
    const { call } = newClient();

    await expect(call(server.address, 1)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'not-sent',
      message: expect.stringContaining(server.address),
    });
  });

  it('rejects an answer over the size limit and drops the connection', async () => {
    let sockets = 0;
    const server = await serverThat(({ code }, socket) => {
      socket.once('close', () => sockets++);
      return { body: code === 1 ? 'x'.repeat(2000) : 'small' };
    });
    const { call } = newClient(1024);

    await expect(call(server.address, 1)).rejects.toMatchObject({ code: 'RPC_FAILED', outcome: 'unknown' });
    await expect(call(server.address, 2)).resolves.toBe('small');
    expect(sockets).toBe(1);
  });

  it('reports a rejection with server, code and first line of the remark', async () => {
    const server = await serverThat(() => ({ code: 17, remark: 'No topic route info\n\tat org.apache.Foo' }));
    const { call } = newClient();

    const rejection = await call(server.address, 105).catch((error: unknown) => error);

    expect(rejection).toMatchObject({ code: 'TOPIC_NOT_EXIST', responseCode: 17, outcome: 'rejected' });
    expect((rejection as Error).message).toBe(
      `[TOPIC_NOT_EXIST] request 105: ${server.address} answered code 17 "No topic route info"; it did not take effect there; create the topic first`,
    );
  });

  it('fails pending and later calls once it is closed', async () => {
    let asked = (): void => {};
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const server = await serverThat(() => {
      asked();
      return undefined;
    });
    const { client, call } = newClient();
    const waiting = call(server.address, 1);
    waiting.catch(() => {});
    await arrived;

    await Promise.all([client.close(), client.close()]);

    await expect(waiting).rejects.toThrow('the client was closed');
    await expect(call(server.address, 1)).rejects.toMatchObject({ code: 'CLOSED', outcome: 'not-sent' });
  });

  it('asks a server nothing more once it is closed', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      // The question whether the server accepts only TLS has no answer.
      if (sockets.push(socket) === 1) socket.once('data', () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { client, call } = newClient();
    const ended = call(`127.0.0.1:${(server.address() as AddressInfo).port}`, 1).catch(() => 'ended');
    await until(() => sockets.length === 2);
    await client.close();
    const turn = new Promise((resolve) => setImmediate(() => resolve('open')));
    await expect(Promise.race([ended, turn])).resolves.toBe('ended');
  });

  it.each([
    {
      acl: '1.0',
      rejection: { code: 1, remark: 'org.apache.rocketmq.acl.common.AclException: Check signature failed' },
    },
    { acl: '2.0', rejection: { code: 16, remark: 'check signature failed.' } },
  ])('repeats a request that ACL $acl rejected with new credentials', async ({ rejection }) => {
    const server = await serverThat(({ fields }) => (fields.AccessKey === 'second' ? { body: 'welcome' } : rejection));
    const keys = ['first', 'second'];
    const source = () => ({ accessKey: keys.shift() ?? 'second', secretKey: 'its secret' });
    const credentials = new CredentialsSource(source, { logger: silentLogger });
    const client = new RemotingClient({ connectTimeoutMs: 2_000, credentials });
    cleanups.push(() => client.close());
    const asked = withDeadline('request', 2_000, undefined, (deadline) =>
      client.call(server.address, { code: 1 }, deadline),
    );
    expect((await asked).body.toString()).toBe('welcome');
  });

  it('reports a rejection by ACL 1.0 as one, although its code is that of any exception', async () => {
    const remark = 'org.apache.rocketmq.acl.common.AclException: Need admin permission for request code=17, but ...';
    const server = await serverThat(() => ({ code: 1, remark }));
    const { call } = newClient();
    await expect(call(server.address, 17)).rejects.toMatchObject({ code: 'NO_PERMISSION', outcome: 'rejected' });
  });

  it('waits for a limited number of late answers', async () => {
    const asked: number[] = [];
    let answer = (_opaque: number): void => {};
    const server = await serverThat(({ opaque }, socket) => {
      asked.push(opaque);
      answer = (to) => void socket.write(encodeAnswer(to, {}));
      return undefined;
    });
    const { client } = newClient();
    const late: number[] = [];
    for (let index = 0; index < 1_001; index++) {
      const giveUp = new AbortController();
      const call = withDeadline('poll', 60_000, giveUp.signal, (deadline) =>
        client.ask(server.address, { code: 1 }, deadline, { onLate: () => void late.push(index) }),
      );
      await until(() => asked.length > index);
      giveUp.abort(new Error('given up'));
      await call.catch(() => {});
    }
    for (const opaque of asked) answer(opaque);
    await until(() => late.length >= 1_000);
    expect([late.length, late[0]]).toEqual([1_000, 1]);
  });
});

describe('the port of a proxy in the place of a name server', () => {
  const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  async function proxy(greet: (socket: Socket) => void): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      greet(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it.each<[string, (socket: Socket) => void]>([
    ['greets by itself', (socket) => void socket.resume().end(SETTINGS)],
    [
      'closes what does not begin with HTTP/2',
      (socket) =>
        socket.once(
          'data',
          (bytes) => void socket.end(bytes.toString('latin1').startsWith('PRI * HTTP/2.0') ? SETTINGS : ''),
        ),
    ],
  ])('that %s is recognized', async (_, greet) => {
    const address = await proxy(greet);
    const client = new RemotingClient({ connectTimeoutMs: 5_000 });
    const asked = withNotedEffects('route', 10_000, undefined, (deadline) =>
      client.call(address, { code: 105 }, deadline),
    );
    await expect(asked).rejects.toMatchObject({
      code: 'NOT_A_NAME_SERVER',
      outcome: 'not-sent',
      retryable: false,
      message: expect.stringContaining('leave out "name-server:"'),
    });
    await client.close();
  });
});
