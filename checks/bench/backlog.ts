// How much memory of its own a broker with a folder takes for a backlog of messages of 1 KiB: while they come in, afterwards, and when it
// is started again on them. Linux.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';
import { type Counts, type Tools, verdictOf } from '../check.js';

const BODY = Buffer.alloc(1_024, 'x');
const CONCURRENCY = 256;

/** Memory of its own is RssAnon; mapped files are the kernel's. */
export async function measureBacklog(
  { messages }: { readonly messages: number },
  { folder, print }: Tools,
): Promise<Counts> {
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
    const restarted = ownBytes(broker.pid);
    const size = statSync(join(folder, 'data', 'messages.mdb')).size;
    print(
      `${messages} messages in ${seconds.toFixed(0)} s, ${(messages / seconds).toFixed(0)}/s; file ${megabytes(size)} MB`,
    );
    print(
      `RssAnon: idle ${megabytes(idle)} MB, at most ${megabytes(peak)}, afterwards ${megabytes(after)}, started again`,
    );
    print(`${megabytes(restarted)} MB in ${startMs.toFixed(0)} ms; raised by ${megabytes(after - idle)} MB`);
    return verdictOf(true);
  } finally {
    await broker.kill();
  }
}

async function send(endpoints: string, count: number): Promise<void> {
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

function ownBytes(pid: number | undefined): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
