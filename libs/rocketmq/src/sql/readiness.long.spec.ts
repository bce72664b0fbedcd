import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext, Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createPglite } from 'demo-kit';
import { SqlCleanup } from './cleanup.js';
import { Inbox } from './inbox.js';
import { LimitStore } from './limit-store.js';
import { TransactionLog } from './log/transaction-log.js';
import { Outbox } from './outbox/outbox.js';
import { OutboxRelay } from './outbox/outbox-relay.js';
import { schemaSql } from './schema.js';
import type { SqlDatabase } from './sql-port.js';

describe('an application with the kit', () => {
  let empty: PGlite;
  let whole: PGlite;
  let old: PGlite;

  beforeAll(async () => {
    [empty, whole, old] = await Promise.all([createPglite(), createPglite(), createPglite()]);
    await whole.exec(schemaSql());
    await old.exec(`${schemaSql()} ALTER TABLE rocketmq_outbox DROP COLUMN claim, DROP COLUMN last_error`);
  });
  afterAll(() => Promise.all([empty?.close(), whole?.close(), old?.close()]));

  const away: SqlDatabase = { transaction: () => Promise.reject(new Error('connect ECONNREFUSED')) };
  const send = async (): Promise<void> => {};
  const logOn = (database: SqlDatabase) => new TransactionLog({ database });
  const relayOn = (database: SqlDatabase) => new OutboxRelay({ outbox: new Outbox(), database, send });
  const cleanupOn = (database: SqlDatabase) => new SqlCleanup({ database, tables: [new Inbox(), new Outbox()] });
  const limitsOn = (database: SqlDatabase) => new LimitStore({ database });
  const kinds = [logOn, relayOn, cleanupOn, limitsOn];

  function start(instance: object): Promise<INestApplicationContext> {
    const providers: Provider[] = [{ provide: instance.constructor, useValue: instance }];
    class App {}
    return NestFactory.createApplicationContext({ module: App, providers }, { logger: false, abortOnError: false });
  }

  it.each(kinds)('starts when the tables are there: %p', async (kind) => {
    await (await start(kind(whole))).close();
  });

  it.each(kinds)('does not start without the tables: %p', async (kind) => {
    await expect(start(kind(empty))).rejects.toMatchObject({
      code: 'TABLE_NOT_READY',
      message: expect.stringContaining('there is no table rocketmq_'),
    });
  });

  it('names each column that is missing', async () => {
    const missing = 'table rocketmq_outbox has no column claim, last_error;';
    await expect(start(relayOn(old))).rejects.toThrow(missing);
    await expect(start(cleanupOn(old))).rejects.toThrow(missing);
    await (await start(logOn(old))).close();
  });

  it('leaves a relay that was rejected stopped', async () => {
    const sent: unknown[] = [];
    const outbox = new Outbox();
    const relay = new OutboxRelay({ outbox, database: old, send: async (message) => void sent.push(message) });
    await expect(start(relay)).rejects.toThrow('TABLE_NOT_READY');
    await expect(relay.runOnce()).rejects.toThrow('claim');
    await relay.stop();
    expect(sent).toEqual([]);
  });

  it.each(kinds)('starts while the database is away: %p', async (kind) => {
    await (await start(kind(away))).close();
  });
});
