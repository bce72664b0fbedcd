// A process that runs a job and kills itself at a given point, as if by SIGKILL.

import { writeFileSync } from 'node:fs';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { Outbox, OutboxRelay, type OutboxRelayOptions, TransactionLog } from 'nestjs-rocketmq/sql';
import { withCheckpoints } from 'nestjs-rocketmq/testing';
import { openDatabase } from '../../../tools/servers/sql-databases.js';
import { type CrashJob, FATAL_STEP, groupOf, ORDERS, STEP_NAMES, STEPS } from './crash-job.js';

const job = JSON.parse(process.argv[2] ?? '') as CrashJob;
const { port } = await openDatabase(job.place);
function reach(point: string): void {
  if (point !== job.point) return;
  writeFileSync(job.marker, point);
  process.kill(process.pid, 'SIGKILL');
}

const connection = new Connection(withCheckpoints({ endpoints: job.endpoints }, reach));

async function placeOrder(): Promise<void> {
  const log = new TransactionLog({ database: port });
  const producer = new Producer(connection, {
    transactionCheckers: { [ORDERS]: (check) => log.check(check) },
  });
  await producer.start();
  reach('before-half');
  await producer.transact({ message: { topic: ORDERS, body: job.subject } }, () =>
    port.transaction(async (tx) => {
      await tx.query(`INSERT INTO orders VALUES ('${job.subject}')`, []);
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
  const options: OutboxRelayOptions = {
    outbox,
    database: port,
    send: (message, sendOptions) => {
      texts.set(message.messageId ?? '', message.body.toString());
      return producer.send(message, sendOptions);
    },
  };
  const stopping = withCheckpoints(options, (point, { messageId }) => {
    // The message is known when it is sent; at a claim, a message of another group was sent before.
    if (point === 'claimed' ? texts.size > 1 : texts.get(messageId) === FATAL_STEP) reach(point);
  });
  await new OutboxRelay(stopping).runOnce();
}

await (job.work === 'order' ? placeOrder() : relay());
