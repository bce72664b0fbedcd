// The console in applications as they are: both adapters, with what applications put around their routes.

import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  type DynamicModule,
  type ExecutionContext,
  ForbiddenException,
  type INestApplication,
  Injectable,
  type LoggerService,
  Module,
  type NestInterceptor,
  type Provider,
  VersioningType,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { defineTopic, RocketMQListener, RocketMQModule } from 'nestjs-rocketmq';
import { map, type Observable } from 'rxjs';
import { builtPages, ConsoleBrowser, sendRaw } from '../../../../test/fixtures/console-bench.js';
import { RocketMQConsoleModule } from './module.js';

const Orders = defineTopic('orders', { type: 'normal' });

@Injectable()
class Billing {
  @RocketMQListener(Orders, { consumerGroup: 'billing' })
  bill(): void {}
}

/** As applications wrap their answers. */
@Injectable()
class Wrapping implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data) => ({ data })));
  }
}

@Injectable()
class Rejecting implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http' || context.switchToHttp().getRequest().headers['x-key'] === 'right') return true;
    throw new ForbiddenException('the application rejects');
  }
}

interface Case {
  readonly adapter: 'express' | 'fastify';
  readonly prefix?: boolean;
  readonly version?: boolean;
  readonly bodyParser?: boolean;
  readonly providers?: readonly Provider[];
  /** Default: none. */
  readonly logger?: LoggerService;
}

@Module({})
class App {
  static of(providers: readonly Provider[]): DynamicModule {
    return {
      module: App,
      imports: [RocketMQModule.forRoot({ endpoints: 'embedded:' }), RocketMQConsoleModule.forRoot({ title: 'Shop' })],
      providers: [Billing, ...providers],
    };
  }
}

let app: INestApplication | undefined;
beforeAll(builtPages);
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function started({ adapter, prefix, version, providers = [], ...more }: Case): Promise<ConsoleBrowser> {
  const { bodyParser = true, logger = false as const } = more;
  const options = { logger, bodyParser, abortOnError: false, forceCloseConnections: true };
  app =
    adapter === 'express'
      ? await NestFactory.create(App.of(providers), new ExpressAdapter(), options)
      : await NestFactory.create<NestFastifyApplication>(App.of(providers), new FastifyAdapter(), options);
  if (prefix) app.setGlobalPrefix('internal/v2');
  if (version) app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
  await app.listen(0, '127.0.0.1');
  return new ConsoleBrowser(`${await app.getUrl()}${prefix ? '/internal/v2' : ''}/rocketmq`);
}

const wrapping: Provider = { provide: APP_INTERCEPTOR, useClass: Wrapping };
const bools = [false, true];
const cases: Case[] = (['express', 'fastify'] as const).flatMap((adapter) =>
  bools.flatMap((prefix) =>
    bools.flatMap((version) => bools.map((bodyParser) => ({ adapter, prefix, version, bodyParser }))),
  ),
);

describe('the console in an application', () => {
  it.each(cases)('works with $adapter, prefix: $prefix, version: $version, body parser: $bodyParser', async (one) => {
    const browser = await started({ ...one, providers: [wrapping] });

    const pages = [
      ['', './rocketmq/'],
      ['/', './'],
      ['/topics', './'],
      ['/topics/orders', '../'],
      ['/topics/orders/messages/01ABC', '../../../'],
    ];
    for (const [path = '', base] of pages) {
      const page = await browser.raw(path);
      expect([path, page.status, page.headers.get('content-type')]).toEqual([path, 200, 'text/html; charset=utf-8']);
      expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
      expect(await page.text()).toContain(`<base href="${base}" />`);
    }

    const script = await browser.get('/assets/main.js');
    expect([script.status, script.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
    const known = { 'if-none-match': script.headers.get('etag') ?? '' };
    expect((await browser.raw('/assets/main.js', { headers: known })).status).toBe(304);
    expect((await browser.raw('/topics', { method: 'HEAD' })).status).toBe(200);

    expect((await browser.get('/api/session')).body).toMatchObject({
      title: 'Shop',
      kind: 'embedded',
      has: { app: true, control: true },
    });
    expect((await browser.get('/api/topics/orders')).body).toMatchObject({
      topic: 'orders',
      counts: { messages: 0 },
    });
    expect(await browser.get('/api/groups/billing/dead-letters/compare?position=b/0/0')).toMatchObject({ status: 404 });
    expect((await browser.get('/api/nothing')).body).toMatchObject({ error: { code: 'NO_PAGE' } });

    const { done } = await browser.change({ action: 'send', topic: 'orders', text: 'hello' });
    expect(done).toMatchObject({ outcome: 'done' });
    expect((await browser.post('/api/plans', '{')).status).toBe(400);
    expect((await browser.post('/api/plans', `{"text":"${'x'.repeat(2_000_000)}"}`)).status).toBe(413);
    expect(await browser.events('/api/events?groups=billing', 'event: samples')).toContain('nowMs');
  });

  it.each(['express', 'fastify'] as const)('adds one line to the routes in the log, with %s', async (adapter) => {
    const lines: string[] = [];
    const logger = { log: (line: unknown) => void lines.push(String(line)), warn() {}, error() {} };
    const browser = await started({ adapter, logger });
    expect(lines.filter((line) => line.startsWith('Mapped '))).toEqual(['Mapped {/rocketmq, GET} route']);
    expect((await browser.get('/api/topics/orders')).status).toBe(200);
  });

  it.each(['express', 'fastify'] as const)('is behind a global guard that throws, with %s', async (adapter) => {
    const browser = await started({ adapter, providers: [{ provide: APP_GUARD, useClass: Rejecting }] });
    for (const path of ['', '/topics', '/assets/main.js', '/api/topics', '/api/events'])
      expect([path, (await browser.get(path)).status]).toEqual([path, 403]);
    expect((await browser.post('/api/plans', { action: 'replay', consumerGroup: 'billing' })).status).toBe(403);
    expect((await browser.with({ 'x-key': 'right' }).get('/api/topics')).status).toBe(200);
  });

  it.each(['express', 'fastify'] as const)('lets no path out of its files, with %s', async (adapter) => {
    const browser = await started({ adapter });
    const port = Number(new URL(browser.base).port);
    const paths = [
      '/rocketmq/assets/../../package.json',
      '/rocketmq/assets/..%2f..%2fpackage.json',
      '/rocketmq/assets/%2e%2e/%2e%2e/package.json',
      '/rocketmq/assets/..\\..\\package.json',
      '/rocketmq/assets/%00main.js',
      '/rocketmq/assets/index.html',
      '/rocketmq/assets/',
      '/rocketmq/assets/__proto__',
    ];
    for (const path of paths) {
      const { status, body } = await sendRaw({ port, path, headers: { host: `127.0.0.1:${port}` } });
      expect([path, status >= 400, body.includes('workspaces')]).toEqual([path, true, false]);
    }
  });
});
