// Processes that are killed at each statement, commit and send of a schedule, one after the other. After each, another relay completes
// what is left. Processes, database and broker are real; only the time is not.

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Connection, MINUTE_MS, Producer } from 'nestjs-rocketmq/client';
import { Outbox, OutboxRelay, SCHEDULE_TICK_PROPERTY, Schedule } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { ManualClock } from '../../libs/rocketmq/src/support/manual-clock.js';
import { column, type OpenDatabase, openDatabase } from '../../tools/servers/sql-databases.js';
import { MYSQL, POSTGRESQL, type Server } from '../../tools/servers/sql-servers.js';
import { describeWithMySql } from '../fixtures/mysql.js';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { runProcess } from './support/crash-job.js';
import { REMINDERS, type ScheduleJob, START_MS } from './support/schedule-job.js';

/** A process that ends earlier has done everything. */
const MAX_STEPS = 100;
/** Starting a process is slow, so each database has a third of the steps. */
const FIRST_STEPS = new Map([POSTGRESQL, MYSQL.MariaDB, MYSQL.MySQL].map((server, index) => [server, 1 + index]));

describeWithPostgres('a schedule whose process is killed, with PostgreSQL', () => suite(POSTGRESQL));
describeWithMySql('a schedule whose process is killed, with', (product) => suite(MYSQL[product]));

function suite(server: Server): void {
  const ends: (() => unknown)[] = [];
  let broker: TestBroker;
  let database: OpenDatabase;
  let producer: Producer;
  let common: Pick<ScheduleJob, 'place' | 'endpoints'>;

  beforeAll(async () => {
    const running = await server.start();
    ends.push(() => running.stop());
    broker = await TestBroker.start();
    ends.push(() => broker.stop());
    broker.declareTopic({ name: REMINDERS, type: 'normal' });
    database = await openDatabase(running.place);
    ends.push(() => database.close());
    const connection = new Connection({ endpoints: broker.endpoints });
    ends.push(() => connection.close());
    producer = new Producer(connection);
    ends.push(() => producer.close());
    await producer.start();
    common = { place: running.place, endpoints: broker.endpoints };
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  /** A relay of a later time, when the claims of a killed one have ended. */
  async function complete(subject: string): Promise<void> {
    const clock = new ManualClock(START_MS + 3 * MINUTE_MS);
    const schedule = new Schedule({ clock });
    const send: Producer['send'] = producer.send.bind(producer);
    const relay = new OutboxRelay({ outbox: new Outbox(), schedule, database: database.port, clock, send });
    // The database holds the locks of a killed process until it notices.
    while ((await relay.runOnce()) > 0 || (await relay.metrics()).overdueMs > 0);
    expect(await relay.metrics()).toMatchObject({ unsent: 0, parked: 0 });
    await database.port.transaction((tx) => schedule.cancel(tx, `${subject}-repeated`));
    expect(await column(database.port, 'SELECT count(*) FROM rocketmq_schedule')).toEqual(['0']);
  }

  /** What is wrong with the messages of a process. */
  function violationsOf(subject: string, committed: readonly string[]): string[] {
    const stored = broker.messages(REMINDERS).filter(({ body }) => body.toString().startsWith(`${subject} `));
    const idsByTick = new Map<string, Set<string>>();
    const violations: string[] = [];
    for (const { body, messageId, properties } of stored) {
      const tick = `${properties[SCHEDULE_TICK_PROPERTY]} ${body}`;
      idsByTick.set(tick, (idsByTick.get(tick) ?? new Set()).add(messageId));
    }
    for (const [tick, ids] of idsByTick) if (ids.size > 1) violations.push(`${tick} has ${ids.size} messages`);
    const [isSet, isChanged] = ['set', 'changed'].map((what) => committed.includes(`${subject} is ${what}`));
    const wanted = isChanged ? ['kept', 'new', 'repeated'] : isSet ? ['canceled', 'kept', 'old', 'repeated'] : [];
    const at = new Date(START_MS + MINUTE_MS).toISOString();
    const found = [...idsByTick.keys()].filter((tick) => tick.includes(at)).map((tick) => tick.split(' ').at(-1));
    if (found.sort().join() !== wanted.join()) violations.push(`sent ${found}, but wanted ${wanted}`);
    const others = [...idsByTick.keys()].filter((tick) => !tick.includes(at));
    if (others.some((tick) => !tick.endsWith(' repeated'))) violations.push(`sent ${others}`);
    return violations.map((violation) => `${subject}: ${violation}`);
  }

  it('loses nothing, sends each tick under one id, and nothing that was canceled, wherever it is killed', async () => {
    const violations: string[] = [];
    let kills = 0;
    const first = FIRST_STEPS.get(server) ?? 1;
    for (let steps = first, end = 'SIGKILL'; end === 'SIGKILL' && steps <= MAX_STEPS; steps += FIRST_STEPS.size) {
      const subject = `step-${steps}`;
      const ended = await runProcess('schedule-program.ts', { ...common, subject, steps } satisfies ScheduleJob);
      end = ended.end;
      if (end === 'SIGKILL') kills++;
      else expect(ended).toEqual({ end: '0', errors: '' });
      await complete(subject);
      violations.push(...violationsOf(subject, await column(database.port, 'SELECT id FROM orders')));
    }
    expect(violations).toEqual([]);
    expect(kills).toBeGreaterThan(20 / FIRST_STEPS.size);
    expect(kills).toBeLessThan(MAX_STEPS / FIRST_STEPS.size);
  }, 600_000);
}
