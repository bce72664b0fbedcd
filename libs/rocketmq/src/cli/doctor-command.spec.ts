// The doctor on healthy and misconfigured servers, called as from a shell.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../../test/fixtures/certificates.js';
import { call, words } from '../../../../test/fixtures/command-line.js';
import { ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import { forwardTo } from '../../../../test/fixtures/tcp-forwarder.js';
import type { EmbeddedBrokerOptions } from '../entries/broker.js';
import { Connection, SimpleConsumer } from '../entries/client.js';
import { TestBroker, type TestBrokerOptions } from '../entries/testing.js';
import { checkAdvertised } from './doctor/advertised.js';
import type { Check } from './doctor/check.js';
import { clockCheck } from './doctor/cluster-checks.js';

const closers: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = await TestBroker.start({ nameServerPort: 0, ...options });
  closers.push(() => broker.stop());
  return broker;
}

interface Examined {
  readonly code: number;
  readonly status: string;
  readonly checks: readonly Check[];
  /** The only check of a name, about a subject if that is given. */
  check(name: string, subject?: string): Check;
}

async function doctor(line: string, env: Readonly<Record<string, string>> = {}): Promise<Examined> {
  const { code, out, err } = await call(words(`doctor ${line} --json`), env);
  expect(err).toBe('');
  const { status, checks } = JSON.parse(out) as { status: string; checks: Check[] };
  const check = (name: string, subject?: string): Check => {
    const found = checks.filter((one) => one.name === name && (subject === undefined || one.subject === subject));
    expect(found).toHaveLength(1);
    return found[0] as Check;
  };
  return { code, status, checks, check };
}

async function listening<S extends Server | HttpServer>(server: S): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the doctor, on a healthy server', () => {
  it('finds no problem, and exits with code 0', async () => {
    const broker = await start({ strict: true });
    broker.declareTopic({ name: 'orders', type: 'fifo', queues: 4 });
    broker.declareGroup({ name: 'billing', fifo: true, maxDeliveryAttempts: 5 });
    const line = `${broker.endpoints} --admin ${broker.nameServerEndpoint} --topic orders --group billing`;
    const { code, status, check } = await doctor(line);
    expect({ code, status }).toEqual({ code: 0, status: 'ok' });
    expect(check('protocol').seen).toContain('an embedded broker answers');
    expect(check('topic').seen).toBe('type fifo; 4 queues on embedded');
    expect(check('address')).toMatchObject({ status: 'ok', subject: broker.endpoints });
    expect(check('group').seen).toContain('ordered, 5 attempts');
    expect(check('permission', 'billing in orders').status).toBe('ok');
    expect(check('version').seen).toContain('5.5.0');
    expect(check('clock').status).toBe('ok');
    expect(check('lag').seen).toBe('0 messages behind');
    expect(check('half messages given up').seen).toBe('none');
  });

  it('prints the same as text, line by line', async () => {
    const broker = await start();
    const { code, out } = await call(['doctor', broker.endpoints]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^doctor of 127[\s\S]+\nok {7}protocol +127\.0\.0\.1:\d+ +an embedded broker answers in \d+ ms\n/,
    );
    expect(out).toMatch(/\n\n3 ok, 0 warning, 0 failed, 2 skipped\n$/);
  });

  it('examines all topics and groups of the name server by default', async () => {
    const broker = await start();
    for (let number = 0; number < 22; number++) broker.declareTopic({ name: `topic-${number}`, type: 'normal' });
    broker.declareGroup({ name: 'billing' });
    const { checks } = await doctor(`${broker.endpoints} --admin ${broker.nameServerEndpoint}`);
    expect(checks.filter(({ name, status }) => name === 'topic' && status === 'ok')).toHaveLength(20);
    expect(checks).toContainEqual(
      expect.objectContaining({ name: 'topic', seen: expect.stringContaining('2 more were not examined') }),
    );
    expect(checks).toContainEqual(expect.objectContaining({ name: 'group', subject: 'billing' }));
  });

  it('creates nothing, even where a request for a route would create a topic', async () => {
    const broker = await start();
    const unknown = await doctor(`${broker.endpoints} --topic new --group new`);
    expect(unknown.check('topic')).toMatchObject({
      status: 'skipped',
      seen: expect.stringContaining('could create it'),
    });
    expect(unknown.check('group')).toMatchObject({ status: 'skipped' });
    const known = await doctor(`${broker.endpoints} --admin ${broker.nameServerEndpoint} --topic new --group new`);
    expect(known.code).toBe(1);
    expect(known.check('topic')).toMatchObject({
      status: 'failed',
      advice: `npx nestjs-rocketmq topic create new --type normal --name-server ${broker.nameServerEndpoint}`,
    });
    expect(known.check('group')).toMatchObject({
      status: 'failed',
      advice: `npx nestjs-rocketmq group create new --name-server ${broker.nameServerEndpoint}`,
    });
    const admin = (what: string) => call(words(`${what} list --json --name-server ${broker.nameServerEndpoint}`));
    expect(JSON.parse((await admin('topic')).out)).toMatchObject({ topics: [] });
    expect(JSON.parse((await admin('group')).out)).toMatchObject({ groups: [] });
  });

  it('sends a message of the right type to each topic with --send only, and rolls a transaction back', async () => {
    const broker = await start({ strict: true });
    const types = ['normal', 'fifo', 'delay', 'transaction', 'priority'] as const;
    for (const type of types) broker.declareTopic({ name: type, type });
    const line = `${broker.endpoints} --admin ${broker.nameServerEndpoint}`;
    expect((await doctor(line)).checks.filter(({ name }) => name === 'send')).toEqual([]);
    const { code, check } = await doctor(`${line} --send`);
    expect(code).toBe(0);
    for (const type of types) expect(check('send', type).status).toBe('ok');
    expect(check('send', 'transaction').seen).toContain('rolled back');
    expect(broker.messages('normal')).toMatchObject([{ tag: 'doctor' }]);
    expect(broker.messages('transaction')).toEqual([]);
  });
});

describe('the doctor, on the wrong server', () => {
  it('recognizes a name server', async () => {
    const broker = await start();
    const { code, check } = await doctor(broker.nameServerEndpoint);
    expect(code).toBe(1);
    expect(check('protocol')).toMatchObject({
      status: 'failed',
      seen: expect.stringContaining('a RocketMQ name server'),
      advice: expect.stringContaining('usually on port 8081'),
    });
  });

  it('recognizes an HTTP/1 server', async () => {
    const address = await listening(createHttpServer((_, response) => response.end('hello')));
    const { check } = await doctor(address);
    expect(check('protocol')).toMatchObject({ status: 'failed', seen: 'an HTTP/1 server answers' });
    const overTls = await doctor(`${address} --tls`);
    expect(overTls.check('protocol').seen).toBe('an HTTP/1 server answers');
    expect(overTls.check('tls')).toMatchObject({ status: 'skipped', seen: 'what answers is not a proxy' });
  });

  it('waits for a silent server no longer than --timeout', async () => {
    const sockets = new Set<Socket>();
    const address = await listening(createServer((socket) => sockets.add(socket.on('error', () => {}))));
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    const { code, check } = await doctor(`${address} --timeout 300`);
    expect(code).toBe(1);
    expect(check('tcp').status).toBe('ok');
    expect(check('protocol')).toMatchObject({ status: 'failed', seen: expect.stringContaining('300 ms') });
  });

  it('reports for each given address why it cannot connect', async () => {
    const broker = await start();
    const { code, check } = await doctor(`127.0.0.1:1;${broker.endpoints}`);
    expect(code).toBe(1);
    expect(check('tcp', '127.0.0.1:1')).toMatchObject({
      status: 'failed',
      advice: expect.stringContaining('is the proxy running'),
    });
    expect(check('protocol', broker.endpoints).status).toBe('ok');
    const unknown = await doctor('no-such-host.invalid:8081');
    expect(unknown.check('tcp')).toMatchObject({
      status: 'failed',
      seen: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
    });
  });

  it('reports a name server that cannot be reached', async () => {
    const broker = await start();
    const { code, check } = await doctor(`${broker.endpoints} --admin 127.0.0.1:1`);
    expect(code).toBe(1);
    expect(check('name server')).toMatchObject({
      status: 'failed',
      advice: expect.stringContaining('usually at port 9876'),
    });
  });

  it('does not blame the address of a name server that accepts connections and does not answer', async () => {
    const broker = await start();
    const sockets = new Set<Socket>();
    const silent = await listening(createServer((socket) => sockets.add(socket.on('error', () => {}))));
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (const line of [`${broker.endpoints} --admin ${silent}`, `name-server:${silent}`]) {
      const { code, check } = await doctor(`${line} --timeout 1000`);
      expect(code).toBe(1);
      const { seen, advice } = check('name server');
      expect(seen).toContain('nothing took effect');
      expect(advice).toContain('is not suspended or overloaded');
    }
  });

  it('asks whether a broker that does not answer is suspended, before it blames its address', async () => {
    const cluster = new ScriptedCluster();
    closers.push(() => cluster.close());
    const { nameServer } = await cluster.start([() => undefined]);
    const { code, check } = await doctor(`name-server:${nameServer.address} --timeout 1000`);
    expect(code).toBe(1);
    expect(check('broker').advice).toMatch(/not suspended or overloaded.*brokerIP1/);
  });

  it('rejects a wrong command line with exit code 2', async () => {
    expect(await call(['doctor'])).toMatchObject({ code: 2, err: expect.stringContaining("argument 'endpoint'") });
    expect(await call(['doctor', 'broker'])).toMatchObject({ code: 2, err: expect.stringContaining('host:port') });
    expect(await call(['doctor', 'embedded:'])).toMatchObject({ code: 2 });
    expect(await call(['doctor', 'a:1', '--timeout', 'soon'])).toMatchObject({ code: 2 });
  });
});

describe('the doctor, on the addresses in a route', () => {
  const orders = { topics: [{ name: 'orders' }], nameServerPort: 0 } satisfies EmbeddedBrokerOptions;

  it('reports registered brokers that cannot be reached from here', async () => {
    const broker = await start({ ...orders, advertisedAddress: { host: 'no-such-host.invalid', port: 8081 } });
    const { code, check } = await doctor(`${broker.endpoints} --admin ${broker.nameServerEndpoint}`);
    expect(code).toBe(1);
    expect(check('name server')).toMatchObject({ status: 'ok', seen: 'knows 1 broker' });
    expect(check('broker')).toMatchObject({
      status: 'failed',
      seen: expect.stringContaining('no-such-host.invalid'),
      advice: expect.stringContaining('brokerIP1'),
    });
  });

  it('reports a port that is published under another number', async () => {
    const unpublished = await start({ ...orders, advertisedAddress: { host: '127.0.0.1', port: 1 } });
    const { code, check } = await doctor(`${unpublished.endpoints} --admin ${unpublished.nameServerEndpoint}`);
    expect(code).toBe(1);
    expect(check('address').advice).toContain('publish the port under the same number (docker run -p 1:1)');
  });

  it('warns when the route contains another port on which a proxy answers', async () => {
    const broker = await start(orders);
    const forwarder = await forwardTo(Number(broker.endpoints.split(':')[1]));
    closers.push(() => forwarder.close());
    const { code, status, check } = await doctor(`127.0.0.1:${forwarder.port} --admin ${broker.nameServerEndpoint}`);
    expect({ code, status }).toEqual({ code: 0, status: 'warning' });
    expect(check('address')).toMatchObject({
      status: 'warning',
      seen: expect.stringContaining('is it the same server?'),
    });
  });

  it('warns of a loopback address from a remote server, even if a local server answers', async () => {
    const broker = await start();
    const [host = '', port] = broker.endpoints.split(':');
    const elsewhere = [{ host: 'mq.example.com', port: Number(port) }];
    const check = await checkAdvertised({ host, port: Number(port) }, elsewhere, { timeoutMs: 2_000 });
    expect(check).toMatchObject({ status: 'warning', seen: expect.stringContaining('a server on this machine') });
    expect(check.advice).toContain('brokerIP1');
  });

  it('recognizes an address inside a container', async () => {
    const address = { host: 'container-without-dots', port: 8081 };
    const check = await checkAdvertised(address, [{ host: 'mq.example.com', port: 8081 }], { timeoutMs: 2_000 });
    expect(check).toMatchObject({ status: 'failed', advice: expect.stringContaining('inside a container') });
  });
});

describe('the doctor, on access', () => {
  const users = [{ accessKey: 'app', secretKey: 'its secret', isSuper: true }];
  const keys = (secret: string) => ({ ROCKETMQ_ACCESS_KEY: 'app', ROCKETMQ_SECRET_KEY: secret });

  it('reports missing, wrong and accepted credentials, and never prints them', async () => {
    const broker = await start({ users, topics: [{ name: 'orders' }] });
    const none = await doctor(broker.endpoints);
    expect(none.code).toBe(1);
    expect(none.check('credentials')).toMatchObject({
      status: 'failed',
      advice: expect.stringContaining('ROCKETMQ_ACCESS_KEY'),
    });
    const wrong = await doctor(`${broker.endpoints} --admin ${broker.nameServerEndpoint}`, keys('not its secret'));
    expect(wrong.check('credentials').seen).toContain('the secret key does not match');
    expect(wrong.check('name server').seen).toContain('the secret key does not match');
    expect(JSON.stringify(wrong.checks)).not.toContain('not its secret');
    const right = await doctor(`${broker.endpoints} --admin ${broker.nameServerEndpoint}`, keys('its secret'));
    expect(right.code).toBe(0);
    expect(right.check('credentials').seen).toBe('accepted; the server rejects clients without credentials');
    expect(right.check('topic', 'orders').status).toBe('ok');
  });

  it('warns of a server that does not check credentials', async () => {
    const broker = await start();
    const { code, check } = await doctor(broker.endpoints, keys('any'));
    expect(code).toBe(0);
    expect(check('credentials')).toMatchObject({
      status: 'warning',
      seen: expect.stringContaining('does not check credentials'),
    });
  });

  it('reports a missing permission', async () => {
    const permissions = [{ resource: 'Topic:mine', actions: ['Pub' as const] }];
    const broker = await start({
      users: [
        { accessKey: 'app', secretKey: 'its secret', permissions },
        { accessKey: 'root', secretKey: 'r', isSuper: true },
      ],
      topics: [{ name: 'mine' }, { name: 'theirs' }],
    });
    // An embedded broker is asked only for topics that are known to exist, and only an administrator can list them.
    const admin = await doctor(
      `${broker.endpoints} --admin ${broker.nameServerEndpoint} --topic mine`,
      keys('its secret'),
    );
    expect(admin.check('credentials').status).toBe('ok');
    expect(admin.checks.some(({ seen }) => seen.includes('a permission is missing'))).toBe(true);
    expect(admin.code).toBe(1);
  });
});

describe('the doctor, on TLS', () => {
  let authority: CertificateAuthority;
  let folder: string;
  let ca: string;

  beforeAll(() => {
    authority = new CertificateAuthority();
    folder = mkdtempSync(join(tmpdir(), 'doctor-'));
    ca = join(folder, 'ca.pem');
    writeFileSync(ca, authority.cert);
  });

  afterAll(() => {
    authority.remove();
    rmSync(folder, { recursive: true });
  });

  it('reports a server without TLS, and one that requires it', async () => {
    const asked = await doctor(`${await listening(createHttp2Server())} --tls`);
    expect(asked.code).toBe(1);
    expect(asked.check('tls').seen).toContain('does not use TLS on this port');
    const secured = await start({ tls: authority.issue() });
    const unasked = await doctor(secured.endpoints);
    expect(unasked.code).toBe(1);
    expect(unasked.check('protocol').seen).toContain('the server accepts only TLS');
  });

  it("reports the certificate's owner, its expiry, and whether it is trusted", async () => {
    const broker = await start({ tls: authority.issue(), topics: [{ name: 'orders' }] });
    const trusted = await doctor(`https://${broker.endpoints} --tls-ca ${ca} --admin ${broker.nameServerEndpoint}`);
    expect(trusted.check('tls')).toMatchObject({
      seen: expect.stringMatching(/certificate of \S+ is valid until \d{4}-/),
    });
    // The certificates of these tests are valid for two days.
    expect(trusted.check('tls').status).toBe('warning');
    expect(trusted.check('address').status).toBe('ok');
    expect(trusted.code).toBe(0);
    const untrusted = await doctor(`https://${broker.endpoints}`);
    expect(untrusted.check('tls').seen).toContain('signed by an untrusted authority');
    const careless = await doctor(`${broker.endpoints} --tls-any-certificate`);
    expect(careless.check('protocol').status).toBe('ok');
  });
});

describe('the doctor, on what brokers report', () => {
  it('reports the skew of a clock, and the error of the measurement', async () => {
    const broker = await start({ manualClock: true });
    await broker.advance(3_600_000);
    const { code, check } = await doctor(`${broker.endpoints} --admin ${broker.nameServerEndpoint}`);
    expect(code).toBe(0);
    const { status, seen } = check('clock');
    expect(status).toBe('warning');
    expect(seen).toMatch(/^3(599|600|601)\.\d s (ahead of|behind) this machine, give or take 0\.[5-9] s/);
  });

  it('accepts a skew within the error of the measurement', () => {
    const clock = { name: 'a', cluster: 'c', address: 'a:1' };
    expect(clockCheck({ ...clock, aheadMs: 2_400, errorMs: 500 }).status).toBe('ok');
    expect(clockCheck({ ...clock, aheadMs: -2_600, errorMs: 500 })).toMatchObject({
      status: 'warning',
      seen: expect.stringContaining('2.6 s behind this machine'),
    });
    expect(clockCheck({ ...clock, aheadMs: undefined, errorMs: 500 }).status).toBe('skipped');
  });

  it('warns of dead letters, and of messages without a consumer', async () => {
    const broker = await start({ topics: [{ name: 'orders' }], groups: [{ name: 'billing', maxDeliveryAttempts: 1 }] });
    await call(words(`doctor ${broker.endpoints} --admin ${broker.nameServerEndpoint} --send`));
    const connection = new Connection({ endpoints: broker.endpoints });
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic: 'orders' }] });
    await consumer.start();
    const [received] = await consumer.receive({ longPollingTimeoutMs: 5_000 });
    if (received !== undefined) await consumer.forwardToDeadLetterQueue(received);
    await consumer.close();
    connection.close();
    await call(words(`doctor ${broker.endpoints} --admin ${broker.nameServerEndpoint} --topic orders --send`));
    const { code, status, check } = await doctor(
      `${broker.endpoints} --admin ${broker.nameServerEndpoint} --group billing`,
    );
    expect({ code, status }).toEqual({ code: 0, status: 'warning' });
    expect(check('dead letters')).toMatchObject({
      status: 'warning',
      advice: expect.stringContaining(`dlq replay billing --name-server ${broker.nameServerEndpoint}`),
    });
    expect(check('lag')).toMatchObject({ status: 'warning', seen: '1 message behind, 1 of them in orders' });
  });
});
