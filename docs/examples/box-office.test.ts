import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { MINUTE_MS } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { BoxOffice, BoxOfficeModule } from './box-office.js';

/** Two processes open a database, perhaps on a busy machine. */
const TEST_TIMEOUT_MS = 4 * MINUTE_MS;

it.each([
  // The half message is stored, the database has no row: the seat must never be announced.
  { point: 'half-sent', isSold: false },
  // The database has the seat, the commit of the message was not sent: the ticket must be printed.
  { point: 'local-transaction-done', isSold: true },
])(
  'a crash at "$point" leaves database and message agreed',
  async ({ point, isSold }) => {
    const broker = await TestBroker.start({ manualClock: true });
    const { endpoints, clock } = broker;
    const folder = mkdtempSync(join(tmpdir(), 'box-office-'));

    // Replace execArgv with the loader by which your tests run TypeScript. A compiled program needs none.
    const execArgv = ['--no-warnings', '--import', './tools/typescript/run-typescript.mjs'];
    const victim = fork('docs/examples/box-office.main.ts', [endpoints, folder, point], { execArgv });
    expect(await once(victim, 'exit')).toEqual([null, 'SIGKILL']);
    expect(broker.halfMessages()).toMatchObject([{ topic: 'ticket-sold', keys: ['12A'] }]);
    expect(broker.messages('ticket-sold')).toEqual([]);

    // The next process. The broker asks it about the half message, and the transaction log in the database answers. A local transaction
    // without a row counts as rolled back only when it can no longer be running: localTransactionTimeoutMs, 5 minutes, after the half message.
    const module = await BoxOfficeModule.open(folder, { endpoints, clock });
    const app = await NestFactory.createApplicationContext(module, { logger: false });
    await broker.advance(10 * MINUTE_MS);
    const { rows } = await app.get(PGlite).query('SELECT seat FROM ticket');
    expect(rows).toEqual(isSold ? [{ seat: '12A' }] : []);
    expect(app.get(BoxOffice).printed).toEqual(isSold ? ['12A'] : []);
    expect(broker.halfMessages()).toEqual([]);

    await app.close();
    await app.get(PGlite).close();
    await broker.stop();
    rmSync(folder, { recursive: true });
  },
  TEST_TIMEOUT_MS,
);
