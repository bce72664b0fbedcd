// A process that runs a job and kills itself at a given point, as if by SIGKILL.

import { writeFileSync } from 'node:fs';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { Outbox, OutboxRelay, TransactionLog } from 'nestjs-rocketmq/sql';
import { type CrashJob, FATAL_STEP, groupOf, ORDERS, STEP_NAMES, STEPS } from './crash-job.js';
import { openDatabase } from './databases.js';

const job = JSON.parse(process.argv[2] ?? '') as CrashJob;
const { port } = await openDatabase(job.place);
const connection = new Connection({ endpoints: job.endpoints });

function reach(point: string): void {
  if (point !== job.point) return;
  writeFileSync(job.marker, point);
  process.kill(process.pid, 'SIGKILL');
}

async function placeOrder(): Promise<void> {
  const log = new TransactionLog({ database: port });
  const producer = new Producer(connection, {
    transactionCheckers: { [ORDERS]: (check) => log.check(check) },
    checkpoint: (point) => reach(point),
  });
  await producer.start();
  reach('before-half');
  await producer.transact({ message: { topic: ORDERS, body: job.subject } }, () =>
    port.transaction(async (tx) => {
      await tx.query('INSERT INTO orders VALUES ($1)', [job.subject]);
      await log.record(tx);
      reach('in-local-transaction');
    }),
  );
}

/** Adds messages and sends those that are due. Messages claimed by killed processes are not due yet. */
async function relay(): Promise<void> {
  const outbox = new Outbox();
  for (const step of STEP_NAMES) {
    const message = { topic: STEPS, body: step, messageGroup: groupOf(job.subject, step) };
    await port.transaction((tx) => outbox.add(tx, message));
  }
  const producer = new Producer(connection);
  const texts = new Map<string, string>();
  const outboxRelay = new OutboxRelay({
    outbox,
    database: port,
    send: (message, options) => {
      texts.set(message.messageId ?? '', message.body.toString());
      return producer.send(message, options);
    },
    checkpoint: (point, { id }) => {
      // The message is known when it is sent; at a claim, a message of another group was sent before.
      if (point === 'claimed' ? texts.size > 1 : texts.get(id) === FATAL_STEP) reach(point);
    },
  });
  await outboxRelay.runOnce();
}

await (job.work === 'order' ? placeOrder() : relay());
