// Runs the examples of docs/guide/data-safety.md.

import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Inbox, OutboxRelay, schemaSql } from 'nestjs-rocketmq/sql';
import pg from 'pg';
import { ParcelModule, Parcels } from '../../docs/examples/outbox.js';
import { Warehouse } from '../../docs/examples/retry-transaction.js';
import { soon } from '../../tools/until.js';
import { describeWithPostgres, Postgres } from '../fixtures/postgres.js';

describe('the example of outbox and inbox', () => {
  it('tracks each move of each parcel, once and in order', async () => {
    const app = await Test.createTestingModule({ imports: [ParcelModule] }).compile();
    await app.init();
    const [parcels, database, relay] = [app.get(Parcels), app.get(PGlite), app.get(OutboxRelay)];
    for (const place of ['depot', 'train', 'door']) {
      for (const parcel of ['A', 'B']) await parcels.move(parcel, ['depot', 'train', 'door'].indexOf(place), place);
    }
    await expect(parcels.move('A', 0, 'depot')).rejects.toThrow();
    const tracked = async () => (await database.query('SELECT * FROM tracking ORDER BY parcel')).rows;
    const all = ['A', 'B'].map((parcel) => ({ parcel, stations: 3, place: 'door' }));
    await soon(async () => JSON.stringify(await tracked()) === JSON.stringify(all));
    // Sent again, as by a relay that was killed before it marked the row.
    await database.exec(`UPDATE rocketmq_outbox SET state = 'unsent', due_at = '-infinity'`);
    relay.wake();
    await soon(async () => (await relay.metrics()).sent >= 12);
    await app.close();
    expect(await tracked()).toEqual(all);
    await database.close();
  });
});

describeWithPostgres('the example of retryTransaction', () => {
  let postgres: Postgres;
  let pool: pg.Pool;

  beforeAll(async () => {
    postgres = await Postgres.start();
    pool = new pg.Pool(postgres.address);
    await pool.query(`${schemaSql()} CREATE TABLE shelf (name text, pieces int)`);
    await pool.query(`INSERT INTO shelf VALUES ('left', 100), ('right', 100)`);
  });
  afterAll(async () => {
    await pool?.end();
    await postgres?.stop();
  });

  it('does each transfer once, despite aborted transactions and redeliveries', async () => {
    // The database aborts every other transaction.
    await pool.query(`
      CREATE SEQUENCE counted;
      CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('counted') % 2 = 1 THEN RAISE EXCEPTION 'given up' USING ERRCODE = '40001'; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER give_up BEFORE INSERT ON rocketmq_inbox FOR EACH STATEMENT EXECUTE FUNCTION give_up();`);
    const warehouse = new Warehouse(pool, new Inbox());
    for (const id of ['T1', 'T2', 'T1']) await warehouse.transfer({ id, from: 'left', to: 'right', pieces: 10 });
    const { rows } = await pool.query('SELECT pieces FROM shelf ORDER BY name');
    expect(rows).toEqual([{ pieces: 80 }, { pieces: 120 }]);
  });
});
