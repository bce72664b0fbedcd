// A process that consumes under a limit over its group, until it is killed.

import { appendFileSync } from 'node:fs';
import { Connection, PushConsumer } from 'nestjs-rocketmq/client';
import { LimitStore } from 'nestjs-rocketmq/sql';
import { openDatabase } from '../../../tools/servers/sql-databases.js';
import { LIMITED, type LimitJob } from './limit-job.js';

const { place, endpoints, rateLimit, file } = JSON.parse(process.argv[2] ?? '') as LimitJob;
const { port } = await openDatabase(place);
let lines: string[] = [];
const write = (): void => {
  appendFileSync(file, lines.join(''));
  lines = [];
};
const consumer = new PushConsumer(new Connection({ endpoints }), {
  consumerGroup: LIMITED,
  subscriptions: [{ topic: LIMITED }],
  rateLimit,
  limitStore: new LimitStore({ database: port }),
  handler: () => {
    if (lines.length === 0) setImmediate(write);
    lines.push(`${Number(process.hrtime.bigint()) / 1e6}\n`);
  },
});
await consumer.start();
