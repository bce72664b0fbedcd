// The console behind proxies: what the application trusts them with, and what it does not.

import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RocketMQModule } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { builtPages, type Json, sendRaw } from '../../../../test/fixtures/console-bench.js';
import { RocketMQConsoleModule, type RocketMQConsoleModuleOptions } from './module.js';

let broker: TestBroker;
const apps: INestApplication[] = [];

beforeAll(builtPages);
beforeEach(async () => {
  broker = await TestBroker.start({ strict: true, nameServerPort: 0, topics: [{ name: 'orders' }] });
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  await broker.stop();
});

interface Case extends RocketMQConsoleModuleOptions {
  readonly adapter?: 'express' | 'fastify';
  readonly trusts?: boolean;
}

async function portOf({ adapter = 'express', trusts = false, ...options }: Case): Promise<number> {
  const compiled = await Test.createTestingModule({
    imports: [
      RocketMQModule.forRoot({ endpoints: broker.endpoints, nameServer: broker.nameServerEndpoint }),
      RocketMQConsoleModule.forRoot({ actions: 'all', ...options }),
    ],
  }).compile();
  const used = adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter({ trustProxy: trusts && 'loopback' });
  const app = compiled.createNestApplication<NestExpressApplication | NestFastifyApplication>(used, { logger: false });
  if (trusts && adapter === 'express') (app as NestExpressApplication).set('trust proxy', 'loopback');
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  return Number(new URL(await app.getUrl()).port);
}

/** What a browser sends that is at https://shop.example, through a proxy that names itself in `Host`. */
async function plan(port: number, more: Record<string, string>): Promise<{ status: number; body: Json }> {
  const { status, body } = await sendRaw({
    port,
    method: 'POST',
    path: '/rocketmq/api/plans',
    headers: {
      host: `127.0.0.1:${port}`,
      origin: 'https://shop.example',
      'content-type': 'application/json',
      'x-rocketmq-console': '1',
      ...more,
    },
    body: JSON.stringify({ action: 'send', topic: 'orders', text: 'x' }),
  });
  return { status, body: JSON.parse(body) };
}

describe.each(['express', 'fastify'] as const)('the console behind a proxy, on %s', (adapter) => {
  const access = 'by-application';
  const forwarded = {
    'x-forwarded-host': 'shop.example',
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-proto': 'https',
  };

  it('takes changes through a proxy that keeps Host', async () => {
    const port = await portOf({ adapter, access });
    expect(await plan(port, { host: 'shop.example' })).toMatchObject({ status: 200, body: { action: 'send' } });
  });

  it('takes them through one that the application trusts to name the host', async () => {
    const port = await portOf({ adapter, access, trusts: true });
    expect(await plan(port, forwarded)).toMatchObject({ status: 200, body: { action: 'send' } });
    expect(await plan(port, { ...forwarded, 'x-forwarded-host': 'evil.example' })).toMatchObject({ status: 403 });
  });

  it('does not believe a host that is forwarded by what the application does not trust', async () => {
    const port = await portOf({ adapter, access });
    expect(await plan(port, forwarded)).toMatchObject({
      status: 403,
      body: { error: { code: 'FOREIGN_PAGE', message: expect.stringContaining('a proxy changed Host') } },
    });
  });
});

describe('without guards', () => {
  it.each([
    ['x-forwarded-for', '203.0.113.7'],
    ['x-forwarded-for', '127.0.0.1, 203.0.113.7'],
    ['x-real-ip', '203.0.113.7'],
    ['x-forwarded-host', 'shop.example'],
    ['forwarded', 'for=203.0.113.7;host=localhost'],
    ['forwarded', 'for=127.0.0.1, for="[2001:db8::1]:4711"'],
    ['via', '1.1 proxy'],
    ['x-forwarded-proto', 'https'],
    ['x-forwarded-port', '443'],
    ['x-forwarded-for', ''],
    ['forwarded', 'proto=https'],
    ['cf-connecting-ip', '203.0.113.7'],
    ['x-client-ip', '203.0.113.7'],
  ])('a proxy on this machine does not let others in: %s: %s', async (name, value) => {
    const port = await portOf({});
    const path = '/rocketmq/api/topics';
    const rejected = await sendRaw({ port, path, headers: { host: 'localhost', [name]: value } });
    expect(rejected).toMatchObject({ status: 403, body: expect.stringContaining('NOT_LOCAL') });
  });

  it('a proxy on this machine that names nobody is known by its old HTTP', async () => {
    const port = await portOf({});
    const socket = connect({ port, host: '127.0.0.1' });
    socket.end(`GET /rocketmq/api/topics HTTP/1.0\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    expect(await text(socket)).toContain('NOT_LOCAL');
  });

  it.each([
    ['x-forwarded-for', '127.0.0.1, ::1'],
    ['x-forwarded-host', 'localhost:5173'],
    ['forwarded', 'for="[::1]:4711";host=localhost:5173;proto=http'],
  ])('a proxy of this machine for this machine is let in: %s: %s', async (name, value) => {
    const port = await portOf({});
    const path = '/rocketmq/api/topics';
    expect((await sendRaw({ port, path, headers: { host: 'localhost', [name]: value } })).status).toBe(200);
  });
});
