// Half messages that a real server gave up.

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, currentLocalTransaction, Producer } from 'nestjs-rocketmq/client';
import type { Check } from '../../libs/rocketmq/src/cli/doctor/check.js';
import { call } from '../fixtures/command-line.js';
import { nameServer, serverAdmin } from '../fixtures/real-server.js';
import { transport } from '../fixtures/transport.js';

const endpoints = process.env.ROCKETMQ_TEST_ENDPOINTS ?? '';
const topic = `given-up-${process.pid}-${Date.now()}`;
/** The first check is after six seconds; twice that for a busy machine. */
const GIVEN_UP_MS = 40_000;
/** The server counts checks in this property and trusts the producer's value. */
const CHECKED_OFTEN = { TRANSACTION_CHECK_TIMES: '1000' };

let admin: RocketMQAdmin;

beforeAll(async () => {
  admin = serverAdmin();
  await admin.createTopic({ topic, type: 'transaction', queues: 1 });
});
afterAll(() => admin.close());

it('the doctor names half messages that the server has given up', async () => {
  const connection = new Connection({ endpoints, transport });
  const producer = new Producer(connection, { transactionCheckers: { [topic]: () => 'unknown' } });
  let messageId = '';
  try {
    await producer.start();
    const message = { topic, body: 'half', properties: CHECKED_OFTEN };
    const failing = producer.transact({ message }, async () => {
      ({ messageId } = currentLocalTransaction());
      throw new Error('nobody knows how it ended');
    });
    await expect(failing).rejects.toThrow('nobody knows');
    const lastTryAtMs = Date.now() + GIVEN_UP_MS;
    while (!(await admin.givenUpHalfMessages({ limit: 100 })).messages.some((one) => one.messageId === messageId)) {
      if (Date.now() > lastTryAtMs) throw new Error('it was not given up');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  } finally {
    await producer.close();
    connection.close();
  }
  const { messages } = await admin.givenUpHalfMessages({ limit: 100 });
  expect(messages).toContainEqual(expect.objectContaining({ messageId, originTopic: topic }));
  const { out, code } = await call(['doctor', endpoints, '--admin', nameServer, '--topic', topic, '--json']);
  const { checks } = JSON.parse(out) as { checks: readonly Check[] };
  expect(code).toBe(0);
  expect(checks).toContainEqual(
    expect.objectContaining({
      name: 'half messages given up',
      status: 'warning',
      // Other suites also leave some on this server, so this test does not know which are the oldest.
      seen: expect.stringMatching(/^[1-9]\d*, the oldest: \S+ of \S+, born \d{4}-/),
    }),
  );
});
