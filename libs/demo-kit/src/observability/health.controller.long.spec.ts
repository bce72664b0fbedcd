// The probes of a demo whose database becomes unavailable. The broker's part is in test/observability.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RocketMQModule } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { DemoDatabase } from '../database.js';
import { ObservabilityModule } from './observability.module.js';

const DATABASE = Symbol('some database');

describe('the probes of a demo', () => {
  let broker: TestBroker;
  let database: DemoDatabase<Record<string, never>>;
  let app: INestApplication;

  beforeEach(async () => {
    broker = await TestBroker.start();
    const migrationsFolder = join(process.cwd(), 'apps/inventory-demo/migrations');
    database = await DemoDatabase.open({ name: 'demo', folder: undefined, migrationsFolder });

    @Module({})
    class SomeModule {}
    const databaseModule = {
      module: class {},
      global: true,
      providers: [{ provide: DATABASE, useValue: database }],
      exports: [DATABASE],
    };
    const imports = [
      databaseModule,
      RocketMQModule.forRoot({ endpoints: broker.endpoints }),
      ObservabilityModule.register({ database: DATABASE }),
    ];
    app = await NestFactory.create({ module: SomeModule, imports }, { logger: false, forceCloseConnections: true });
    await app.listen(0, '127.0.0.1');
  });
  afterEach(async () => {
    await app?.close();
    await database?.close();
    await broker?.stop();
  });

  const ask = async (path: string): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(`${await app.getUrl()}${path}`, { headers: { connection: 'close' } });
    return { status: response.status, body: await response.json() };
  };

  it('report that it is not ready without its database, with the reason, but alive', async () => {
    const ready = {
      status: 200,
      body: { status: 'ok', info: { rocketmq: { status: 'up' }, database: { status: 'up' } } },
    };
    expect(await ask('/health/ready')).toMatchObject(ready);
    await database.close();
    const down = { database: { status: 'down', message: 'it is unavailable' } };
    expect(await ask('/health/ready')).toMatchObject({ status: 503, body: { status: 'error', error: down } });
    expect((await ask('/health/live')).status).toBe(200);
  });

  it('serve no metrics by default', async () => {
    expect((await ask('/metrics')).status).toBe(404);
  });
});
