// The outbox on MySQL and MariaDB: what their packets, character sets and locks do to its rows.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import mysql from 'mysql2/promise';
import type { OutgoingMessage } from 'nestjs-rocketmq/client';
import {
  mysql2Database,
  mysql2Executor,
  Outbox,
  OutboxRelay,
  type OutboxRelayOptions,
  type SqlDatabase,
  schemaStatements,
  TransactionLog,
} from 'nestjs-rocketmq/sql';
import { withCheckpoints } from 'nestjs-rocketmq/testing';
import { describeWithMySql, MySqlServer } from '../fixtures/mysql.js';

const PACKET_BYTES = 1024 * 1024;

describeWithMySql('an outbox on', (product) => {
  const outbox = new Outbox();
  let server: MySqlServer;
  let pool: mysql.Pool;
  let sent: OutgoingMessage[];
  let pools: mysql.Pool[];

  beforeAll(async () => {
    const settings = [`max-allowed-packet=${PACKET_BYTES}`, 'innodb-lock-wait-timeout=2'];
    server = await MySqlServer.start(product, settings);
    pool = mysql.createPool(server.address);
    for (const statement of schemaStatements({ dialect: 'mysql' })) await pool.query(statement);
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });
  beforeEach(async () => {
    sent = [];
    pools = [];
    await pool.query('DELETE FROM rocketmq_outbox');
  });
  afterEach(() => Promise.all(pools.map((one) => one.end())));

  const database = (of = pool) => mysql2Database(of);
  const add = (body: string | Buffer, messageGroup?: string): Promise<string> =>
    database().transaction((tx) => outbox.add(tx, { topic: 'steps', body, messageGroup }));
  const bodies = (): string[] => sent.map(({ body }) => body.toString());
  const relayOn = (options: Partial<OutboxRelayOptions> = {}): OutboxRelay =>
    new OutboxRelay({
      outbox,
      database: database(),
      send: async (message) => void sent.push(message),
      ...options,
    });

  it('parks a row that cannot be read, alone and with a reason', async () => {
    for (const body of ['1', '2', '3']) await add(body);
    await pool.query(`UPDATE rocketmq_outbox SET fields = '{"keys' ORDER BY position LIMIT 1`);
    expect([await relayOn().runOnce(), bodies()]).toEqual([3, ['2', '3']]);
    const parked = await database().transaction((tx) => outbox.parked(tx));
    expect(parked).toMatchObject([{ attempts: 1, lastError: expect.stringMatching(/UNREADABLE_ROW.*column fields/) }]);
  });

  it.each([786_000, 785_999, 785_998, 785_997])(
    'sends a body of %s bytes, as long as a packet when it was added',
    async (size) => {
      const body = Buffer.from(Array.from({ length: size }, (_, index) => index % 251));
      await add(body);
      await add('next');
      await relayOn().runOnce();
      expect(sent.map((message) => Buffer.compare(message.body as Buffer, body))).toContain(0);
      expect(bodies()).toContain('next');
    },
  );

  it.each(['utf8', 'latin1', 'latin1_swedish_ci', 'ascii'])(
    'keeps the characters of a message through a connection with the character set %s',
    async (charset) => {
      const narrow = mysql.createPool({ ...server.address, charset });
      pools.push(narrow);
      const groups = ['Größe', '张', '😀', '😁'];
      for (const group of groups) {
        const message = { topic: 'steps', body: 'x', messageGroup: group, keys: [group], properties: { group } };
        await database(narrow).transaction((tx) => outbox.add(tx, message));
      }
      await relayOn({ database: database(narrow) }).runOnce();
      expect(sent.map(({ messageGroup, keys, properties }) => [messageGroup, keys, properties?.group])).toEqual(
        groups.map((group) => [group, [group], group]),
      );
    },
  );

  it('keeps quotes and backslashes where the mode NO_BACKSLASH_ESCAPES stores what drivers escape', async () => {
    const literal = mysql.createPool({ ...server.address, connectionLimit: 1 });
    pools.push(literal);
    await literal.query("SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')");
    const message = { topic: 'steps', body: '"\\', messageGroup: "'\\", keys: ['"\\'], properties: { '"': "'" } };
    await database(literal).transaction((tx) => outbox.add(tx, message));
    await relayOn({ database: database(literal) }).runOnce();
    expect(sent).toMatchObject([{ ...message, body: Buffer.from('"\\') }]);
  });

  it.each(['utf8mb4', 'utf8', 'latin1'])(
    'parks a message whose error is long, by the character set %s',
    async (charset) => {
      const narrow = mysql.createPool({ ...server.address, charset });
      pools.push(narrow);
      await add('x');
      const send = (): Promise<never> => Promise.reject(new Error(`502 😀\u0000 ${'<html>'.repeat(15_000)}`));
      await relayOn({ send, database: database(narrow), maxAttempts: 1 }).runOnce();
      const parked = await database().transaction((tx) => outbox.parked(tx));
      expect(parked).toMatchObject([{ attempts: 1, lastError: expect.stringMatching(/^502 😀\\x00 <html>.*…$/) }]);
    },
  );

  describe.each(['REPEATABLE READ', 'SERIALIZABLE'])(
    'beside an open transaction that has added a message, under %s',
    (level) => {
      let open: mysql.PoolConnection;
      let leveled: mysql.Pool;
      const database = () => mysql2Database(leveled);
      const relayWith = (options: Partial<OutboxRelayOptions> = {}) => relayOn({ database: database(), ...options });
      beforeEach(() => {
        leveled = mysql.createPool(server.address);
        pools.push(leveled);
        leveled.on('connection', (connection) => connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`));
      });

      /** Few rows, and so many that they are most of the table: MySQL chooses other plans. */
      const begin = async (count: number, messageGroup?: string): Promise<void> => {
        await database().transaction(async (tx) => {
          for (let index = 0; index < count; index++) {
            await outbox.add(tx, { topic: 'steps', body: `${index}`, messageGroup });
          }
        });
        await pool.query('ANALYZE TABLE rocketmq_outbox');
        open = await pool.getConnection();
        await open.query('START TRANSACTION');
        await outbox.add(mysql2Executor(open), { topic: 'steps', body: 'open' });
      };
      afterEach(async () => {
        await open.query('ROLLBACK');
        open.release();
      });

      it.each([1, 64, 200])('marks %s messages as sent', async (count) => {
        await begin(count);
        const relay = relayWith();
        while ((await relay.runOnce()) > 0);
        expect([sent.length, (await relay.metrics()).unsent]).toEqual([count, 0]);
      });

      it('releases what follows a failed message', async () => {
        await begin(16, 'g');
        const send = (): Promise<never> => Promise.reject(new Error('no'));
        await relayWith({ send, backoff: 0 }).runOnce();
        await relayWith().runOnce();
        expect(bodies()).toEqual(Array.from({ length: 16 }, (_, index) => `${index}`));
      });

      it('parks messages, and retries all of them or some', async () => {
        await begin(64);
        const send = (): Promise<never> => Promise.reject(new Error('no'));
        await relayWith({ send, maxAttempts: 1 }).runOnce();
        const parked = await database().transaction((tx) => outbox.parked(tx));
        const some = parked.slice(0, 3).map(({ id }) => id);
        expect(await database().transaction((tx) => outbox.retryParked(tx, some))).toBe(3);
        expect(await database().transaction((tx) => outbox.retryParked(tx))).toBe(61);
        await relayWith().runOnce();
        expect(sent.length).toBe(64);
      });

      it('answers a check of a transaction that may still run', async () => {
        await begin(1);
        const log = new TransactionLog({ database: database() });
        const half = { transactionId: `open under ${level}`, topic: 'steps' };
        await log.record(mysql2Executor(open), half);
        const signal = new AbortController().signal;
        expect(await log.check({ ...half, signal, mayStillRun: true })).toBe('unknown');
        await open.query('COMMIT');
        expect(await log.check({ ...half, signal, mayStillRun: true })).toBe('commit');
      });
    },
  );

  it('claims no row of a group behind one that another relay has claimed after it was chosen', async () => {
    for (const body of ['1', '2', '3']) await add(body, 'g');
    const order: string[] = [];
    const named = (name: string, options: Partial<OutboxRelayOptions>): OutboxRelay =>
      relayOn({ send: async ({ body }) => void order.push(`${name} ${body}`), ...options });
    let transactions = 0;
    const slow: SqlDatabase = {
      dialect: 'mysql',
      transaction: async (work) => {
        transactions++;
        if (transactions === 2) {
          // The second relay has died after its claim.
          const dying = withCheckpoints({ batchSize: 1 }, (point) => {
            if (point === 'sent-before-mark') throw new Error('killed');
          });
          await expect(named('dying', dying).runOnce()).rejects.toThrow('killed');
        }
        return database().transaction(work);
      },
    };
    await named('first', { database: slow }).runOnce();
    expect([await named('third', {}).runOnce(), order]).toEqual([0, ['dying 1']]);
  });

  it('does not claim what another relay has claimed, when an earlier message of the group is retried', async () => {
    for (const body of ['1', '2', '3', '4']) await add(body, 'g');
    await pool.query(`UPDATE rocketmq_outbox SET state = 'parked' ORDER BY position LIMIT 1`);
    const order: string[] = [];
    const send = async ({ body }: OutgoingMessage): Promise<void> => {
      order.push(`first ${body}`);
      if (body.toString() !== '3') return;
      await database().transaction((tx) => outbox.retryParked(tx));
      await relayOn({ send: async (message) => void order.push(`second ${message.body}`) }).runOnce();
    };
    await relayOn({ send }).runOnce();
    expect(order).toEqual(['first 2', 'first 3', 'second 1', 'first 4']);
  });

  it('claims at most 16 MiB of bodies', async () => {
    const body = Buffer.alloc(780_000, 1);
    for (let index = 0; index < 24; index++) await add(body, index < 4 ? 'g' : undefined);
    const relay = relayOn();
    expect([await relay.runOnce(), await relay.runOnce()]).toEqual([21, 3]);
  });
});
