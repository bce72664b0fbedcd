// Several relays on one outbox in a real database, with concurrent writers, failing sends and relays that are killed.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MINUTE_MS } from 'nestjs-rocketmq/client';
import { Outbox, OutboxRelay, retryTransaction, type SqlExecutor } from 'nestjs-rocketmq/sql';
import { withCheckpoints } from 'nestjs-rocketmq/testing';
import { ManualClock } from '../../libs/rocketmq/src/support/manual-clock.js';
import { column, type OpenDatabase, openDatabase } from '../../tools/servers/sql-databases.js';
import { levelsOf, MYSQL, POSTGRESQL, type Server } from '../../tools/servers/sql-servers.js';
import { describeWithMySql } from '../fixtures/mysql.js';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { type AddedMessage, relayViolations } from '../fixtures/relay-history.js';

const UNSENT = `SELECT count(*) FROM rocketmq_outbox WHERE state = 'unsent'`;

describeWithPostgres('several relays of one outbox on PostgreSQL', () => {
  relaysAtEachLevel(POSTGRESQL);
  describe('whose table has a schema', () =>
    relaysOn(POSTGRESQL, POSTGRESQL.isolation['READ COMMITTED'], 'public.rocketmq_outbox'));
});
describeWithMySql('several relays of one outbox on', (product) => relaysAtEachLevel(MYSQL[product]));

function relaysAtEachLevel(server: Server): void {
  describe.each(levelsOf(server))('under %s', (_, setting) => relaysOn(server, setting));
}

function relaysOn({ start, waiting }: Server, isolation?: string, otherName?: string): void {
  let server: Awaited<ReturnType<Server['start']>>;
  let database: OpenDatabase;

  beforeAll(async () => {
    server = await start(isolation);
    database = await openDatabase(server.place);
  });
  afterAll(async () => {
    await database?.close();
    await server?.stop();
  });

  it.each([1, 2, 3])('lose nothing and keep the order of each group, run %s', async (seed) => {
    await database.port.transaction((tx) => tx.query('DELETE FROM rocketmq_outbox', []));
    const random = numbers(seed);
    const clock = new ManualClock();
    const sent: string[] = [];
    const added: AddedMessage[] = [];
    const outbox = new Outbox({ clock });
    let isWritten = false;
    let hasFailed = false;

    const send = async ({ messageId = '' }: { messageId?: string }): Promise<void> => {
      await new Promise(setImmediate);
      if (random() < 0.1) throw new Error('not stored');
      sent.push(messageId);
      if (random() < 0.1) throw new Error('stored, but the answer was lost');
    };

    /** Adds up to three messages to random groups, 40 times; some transactions are rolled back. */
    const write = async (): Promise<void> => {
      for (let round = 0; round < 40; round++) {
        // Always in the same order, or transactions could deadlock.
        const groups = [0, 1, 2].map(() => (random() < 0.2 ? undefined : `group-${Math.floor(random() * 4)}`)).sort();
        const isKept = random() > 0.2;
        const ids: AddedMessage[] = [];
        const work = async (tx: SqlExecutor): Promise<void> => {
          for (const messageGroup of groups) {
            ids.push({ id: await outbox.add(tx, { topic: 'steps', body: 'step', messageGroup }), messageGroup });
          }
          if (!isKept) throw new Error('rolled back');
          // Before the locks of the groups are released, so that they are in the order of the commits.
          added.push(...ids);
        };
        const transaction = (): Promise<void> =>
          database.port.transaction(work).catch((error) => {
            const lost = new Set(ids.splice(0));
            added.splice(0, added.length, ...added.filter((message) => !lost.has(message)));
            throw error;
          });
        const written = retryTransaction(transaction, { maxAttempts: 100 });
        await written.catch((error: Error) => expect(error.message).toBe('rolled back'));
      }
    };

    /** Relays run one after another, each until it fails: a relay that throws at a checkpoint leaves its claims behind. */
    const relayOn = async (): Promise<void> => {
      const checkpoint = (): void => {
        if (random() < 0.01) throw new Error('killed');
      };
      while (true) {
        const options = { outbox, database: database.port, send, clock, maxAttempts: 1_000, batchSize: 8 };
        const relay = new OutboxRelay(withCheckpoints(options, checkpoint));
        const taken = await relay.runOnce().catch(() => 1);
        if (hasFailed) return;
        if (taken > 0) continue;
        const [unsent] = await retryTransaction(() => column(database.port, UNSENT));
        if (isWritten && unsent === '0') return;
        clock.advanceTo(clock.nowMs() + MINUTE_MS);
      }
    };

    const writing = Promise.all([write(), write(), write()]).then(() => {
      isWritten = true;
    });
    const all = [writing, relayOn(), relayOn(), relayOn()];
    await Promise.all(all).catch(async (error) => {
      hasFailed = true;
      await Promise.allSettled(all);
      throw error;
    });
    expect(relayViolations(added, sent)).toEqual([]);
    expect(sent.length).toBeGreaterThan(added.length);
  });

  it('let a second writer of a group wait for the first one to commit', async () => {
    const outbox = new Outbox();
    const order: string[] = [];
    let second: Promise<unknown> = Promise.resolve();
    await database.port.transaction(async (tx) => {
      await outbox.add(tx, { topic: 'steps', body: '1', messageGroup: 'g' });
      second = database.port.transaction(async (other) => {
        await outbox.add(other, { topic: 'steps', body: 'elsewhere', messageGroup: 'another' });
        order.push('another group was free');
        await (otherName === undefined ? outbox : new Outbox({ tableName: otherName })).add(other, {
          topic: 'steps',
          body: '2',
          messageGroup: 'g',
        });
        order.push('second added');
      });
      // InnoDB shows what it has collected until nobody has looked for 0.1 s.
      while ((await tx.query(waiting, [])).rows.length === 0) await sleep(200);
      order.push('first commits');
    });
    await second;
    expect(order).toEqual(['another group was free', 'first commits', 'second added']);
  });
}

/** Numbers from 0 to 1 that are the same in each run (a linear congruential generator). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
