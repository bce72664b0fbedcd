// A process that consumes under limits over its groups, until it is killed.

import { appendFileSync } from 'node:fs';
import { Connection, PushConsumer } from 'nestjs-rocketmq/client';
import { LimitStore } from 'nestjs-rocketmq/sql';
import { realSleep } from '../../../libs/rocketmq/src/support/deadline.js';
import { openDatabase } from '../../../tools/servers/sql-databases.js';
import { LIMITED, type LimitJob, TOGETHER } from './limit-job.js';

/** How long a handler takes. */
const RUN_MS = 200;

const { place, endpoints, rateLimit, groupConcurrency, file, runs } = JSON.parse(process.argv[2] ?? '') as LimitJob;
const { port } = await openDatabase(place);
let lines: string[] = [];
const write = (): void => {
  appendFileSync(file, lines.join(''));
  lines = [];
};
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const connection = new Connection({ endpoints, requestTimeoutMs: 30_000 });
const limitStore = new LimitStore({ database: port });
const limited = new PushConsumer(connection, {
  consumerGroup: LIMITED,
  subscriptions: [{ topic: LIMITED }],
  rateLimit,
  limitStore,
  handler: () => {
    if (lines.length === 0) setImmediate(write);
    lines.push(`${nowMs()}\n`);
  },
});
const together = new PushConsumer(connection, {
  consumerGroup: TOGETHER,
  subscriptions: [{ topic: TOGETHER }],
  groupConcurrency,
  limitStore,
  handler: async ({ messageId }) => {
    appendFileSync(runs, `${nowMs()} ${messageId}\n`);
    await realSleep(RUN_MS);
    appendFileSync(runs, `${nowMs()} ${messageId}\n`);
  },
});
await Promise.all([limited.start(), together.start()]);
