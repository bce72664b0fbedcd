// node checks/bench/measure-backlog.mjs [--messages N]
// How much memory of its own (RssAnon; mapped files are the kernel's) a broker with a folder takes for a backlog of messages of
// 1 KiB: while they come in, afterwards, and when it is started again on them. Linux.

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { build } from '../../scripts/build/build.mjs';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';

const BODY = Buffer.alloc(1_024, 'x');
const CONCURRENCY = 256;

const { values } = parseArgs({ options: { messages: { type: 'string', default: '1000000' } } });
const messages = Number(values.messages);
await build({ names: ['nestjs-rocketmq'] });
const folder = mkdtempSync(join(tmpdir(), 'backlog-'));
const args = ['--port', '0', '--data', join(folder, 'data'), '--flush', 'async'];
let broker = await startEmbeddedBroker(args);
try {
  const idle = ownBytes(broker.pid);
  let peak = idle;
  const watch = setInterval(() => {
    peak = Math.max(peak, ownBytes(broker.pid));
  }, 200);
  const beganAt = performance.now();
  await send(broker.endpoints, messages);
  const seconds = (performance.now() - beganAt) / 1_000;
  await sleep(3_000);
  clearInterval(watch);
  const after = ownBytes(broker.pid);
  await broker.kill();
  const startedAt = performance.now();
  broker = await startEmbeddedBroker(args);
  const startMs = performance.now() - startedAt;
  const again = ownBytes(broker.pid);
  const size = statSync(join(folder, 'data', 'messages.mdb')).size;
  print(
    `${messages} messages in ${seconds.toFixed(0)} s, ${(messages / seconds).toFixed(0)}/s; file ${megabytes(size)} MB`,
  );
  print(
    `RssAnon: idle ${megabytes(idle)} MB, at most ${megabytes(peak)}, afterwards ${megabytes(after)}, started again`,
  );
  print(`${megabytes(again)} MB in ${startMs.toFixed(0)} ms; raised by ${megabytes(after - idle)} MB`);
} finally {
  await broker.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** @param {string} endpoints @param {number} count */
async function send(endpoints, count) {
  const connection = new Connection({ endpoints });
  const producer = new Producer(connection, { topics: { backlog: 'normal' } });
  await producer.start();
  let left = count;
  const worker = async () => {
    while (left-- > 0) await producer.send({ topic: 'backlog', body: BODY });
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  await producer.close();
  await connection.close();
}

/** @param {number} pid */
function ownBytes(pid) {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1024 / 1024).toFixed(0);
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`[backlog] ${line}\n`);
}
