// How often the client copies a large body between its caller and the socket. The server is a process of its own, so that its copies do not count.

import { afterEach, describe, expect, it } from '@jest/globals';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';
import { soon } from '../../tools/until.js';

const MESSAGES = 64;
const BODY_BYTES = 64 * 1024;
/** Heads of frames and properties are no bodies. */
const MIN_COUNTED_BYTES = 1024;

/** Counts the bytes that go from one buffer to another, in parts of at least {@link MIN_COUNTED_BYTES}. */
function countCopies(): { bytes(): number; end(): void } {
  let bytes = 0;
  const count = (copied: number): void => {
    if (copied >= MIN_COUNTED_BYTES) bytes += copied;
  };
  const lengthOf = (value: unknown): number => (ArrayBuffer.isView(value) ? value.byteLength : 0);
  const ends: (() => void)[] = [];
  const watch = <K extends string>(
    owner: Record<K, unknown>,
    name: K,
    copiedBy: (args: unknown[], result: unknown) => number,
  ) => {
    const own = Object.getOwnPropertyDescriptor(owner, name) as PropertyDescriptor;
    const original = own.value as (...args: unknown[]) => unknown;
    Object.defineProperty(owner, name, {
      ...own,
      value(this: unknown, ...args: unknown[]) {
        const result = original.apply(this, args);
        count(copiedBy(args, result));
        return result;
      },
    });
    ends.push(() => Object.defineProperty(owner, name, own));
  };
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
  watch(typedArray, 'set', ([source]) => lengthOf(source));
  watch(typedArray, 'slice', (_, result) => lengthOf(result));
  watch(Buffer.prototype as never, 'copy' as never, (_, copied) => copied as number);
  watch(Buffer as never, 'from' as never, ([source]) => lengthOf(source));
  watch(Buffer as never, 'concat' as never, (_, result) => lengthOf(result));
  return { bytes: () => bytes, end: () => void ends.splice(0).forEach((end) => void end()) };
}

describe.each([
  ['gRPC', 1],
  // An answer has several messages, and none of them may keep all others in memory.
  ['name server', 2],
])('a body of 64 KiB, by %s', (way, receivedCopies) => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  it(`is copied once where it is sent, and ${receivedCopies} x where it is received`, async () => {
    const broker = await startEmbeddedBroker(['--port', '0', '--name-server-port', '0', '--topic', 'orders']);
    ends.push(() => broker.kill());
    const endpoints = way === 'gRPC' ? broker.endpoints : `name-server:${broker.nameServerEndpoint}`;
    const connection = new Connection({ endpoints });
    ends.push(() => connection.close());
    const producer = new Producer(connection);
    ends.push(() => producer.close());
    await producer.start();
    const body = Buffer.alloc(BODY_BYTES, 'a');
    const sending = countCopies();
    ends.push(() => sending.end());
    for (let sent = 0; sent < MESSAGES; sent++) await producer.send({ topic: 'orders', body });
    sending.end();
    const received: Buffer[] = [];
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'orders' }],
      handler: (message) => void received.push(message.body),
    });
    ends.push(() => consumer.close());
    const receiving = countCopies();
    ends.push(() => receiving.end());
    await consumer.start();
    await soon(() => received.length === MESSAGES, 30_000);
    receiving.end();
    expect(received.every((one) => one.equals(body))).toBe(true);
    const [sentCopies, ...others] = [sending, receiving].map(({ bytes }) => bytes() / (MESSAGES * BODY_BYTES));
    expect(sentCopies).toBeLessThanOrEqual(1.05);
    expect(others[0]).toBeLessThanOrEqual(receivedCopies + 0.05);
    // The counting works.
    expect(Math.min(sentCopies ?? 0, ...others)).toBeGreaterThan(0.5);
  }, 60_000);
});
