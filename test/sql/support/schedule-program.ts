// A process that sets, replaces and cancels entries of a schedule, hands them over, and kills itself after a given number of steps: each
// statement, each commit and each send is one.

import { Connection, MINUTE_MS, Producer } from 'nestjs-rocketmq/client';
import { Outbox, OutboxRelay, Schedule, type SqlDatabase, type SqlExecutor } from 'nestjs-rocketmq/sql';
import { ManualClock } from '../../../libs/rocketmq/src/support/manual-clock.js';
import { openDatabase } from '../../../tools/servers/sql-databases.js';
import { REMINDERS, type ScheduleJob, START_MS } from './schedule-job.js';

const { place, endpoints, subject, steps } = JSON.parse(process.argv[2] ?? '') as ScheduleJob;
const { port, close } = await openDatabase(place);
const clock = new ManualClock(START_MS);
let step = 0;

function stepped<T>(result: T): T {
  step++;
  if (step === steps) process.kill(process.pid, 'SIGKILL');
  return result;
}

const counted = (tx: SqlExecutor): SqlExecutor => ({
  ...tx,
  query: async (text, parameters) => stepped(await tx.query(text, parameters)),
});
const database: SqlDatabase = {
  ...(port.dialect === undefined ? {} : { dialect: port.dialect }),
  transaction: async (work) => stepped(await port.transaction((tx) => work(counted(tx)))),
};

const schedule = new Schedule({ clock });
const entry = (name: string, body = name) => {
  return { key: `${subject}-${name}`, message: { topic: REMINDERS, body: `${subject} ${body}` } };
};

await database.transaction(async (tx) => {
  await tx.query(`INSERT INTO orders VALUES ('${subject} is set')`, []);
  await schedule.set(tx, { ...entry('kept'), delayMs: MINUTE_MS });
  await schedule.set(tx, { ...entry('replaced', 'old'), delayMs: MINUTE_MS });
  await schedule.set(tx, { ...entry('canceled'), delayMs: MINUTE_MS });
  await schedule.set(tx, { ...entry('repeated'), cron: '* * * * *' });
});
await database.transaction(async (tx) => {
  await schedule.set(tx, { ...entry('replaced', 'new'), delayMs: MINUTE_MS });
  await schedule.cancel(tx, entry('canceled').key);
  await tx.query(`INSERT INTO orders VALUES ('${subject} is changed')`, []);
});
clock.advanceTo(START_MS + MINUTE_MS);
const connection = new Connection({ endpoints });
const producer = new Producer(connection);
await producer.start();
await new OutboxRelay({
  outbox: new Outbox(),
  schedule,
  database,
  clock,
  send: async (message, options) => stepped(await producer.send(message, options)),
}).runOnce();
await producer.close();
connection.close();
await close();
