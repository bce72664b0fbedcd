import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { closeApp } from '../../../../test/fixtures/close-app.js';
import { RocketMQModule } from '../entries/nest.js';
import { SqlCleanup } from '../sql/cleanup.js';
import { Inbox } from '../sql/inbox.js';
import { TransactionLog } from '../sql/log/transaction-log.js';
import { Outbox } from '../sql/outbox/outbox.js';
import { OutboxRelay } from '../sql/outbox/outbox-relay.js';
import type { SqlDatabase } from '../sql/sql-port.js';
import { type Logger, silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';

const database: SqlDatabase = { transaction: () => Promise.reject(new Error('connect ECONNREFUSED')) };
const outbox = new Outbox();
const send = async (): Promise<void> => {};

/** The lines of an application on a database that is away. */
async function linesWith(instance: object): Promise<string[]> {
  const lines: string[] = [];
  const write = (message: string): void => void lines.push(message);
  const logger: Logger = { ...silentLogger, warn: write, error: write };
  const broker = await TestBroker.start();
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints: broker.endpoints, logger })],
    providers: [{ provide: 'of the application', useFactory: () => instance }],
  }).compile();
  try {
    await app.init();
    return lines;
  } finally {
    await closeApp(app);
    await broker.stop();
  }
}

const unchecked = 'the tables could not be checked at the start; the application starts nevertheless';

describe('a part of the data-safety kit that an application creates without a logger', () => {
  it.each([
    new TransactionLog({ database }),
    new OutboxRelay({ outbox, database, send }),
    new SqlCleanup({ database, tables: [new Inbox()] }),
  ])('logs by the logger of the module: %p', async (instance) => {
    expect(await linesWith(instance)).toContain(unchecked);
  });

  it('keeps a logger of its own', async () => {
    const own: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (line) => void own.push(line) };
    expect(await linesWith(new OutboxRelay({ outbox, database, send, logger }))).not.toContain(unchecked);
    expect(own).toContain(unchecked);
  });
});
