import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../../test/fixtures/producer-bench.js';
import { until } from '../../../../../tools/until.js';
import { message, RawClient } from '../../../../../tools/wire/raw-grpc-client.js';
import { Client } from '../../client/client.js';
import type { ClientRole } from '../../client/client-role.js';
import { Connection } from '../../client/connection.js';
import type { ServerCommand } from '../../client/server-commands.js';
import { ClientType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { toWireMessage } from '../../protocol/grpc/message-mapping.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { ManualClock } from '../../support/manual-clock.js';
import { TestBroker } from '../../testing/test-broker.js';
import type { Producer } from '../producer.js';
import { CheckAnswers } from './check-answers.js';
import { TransactionBounds } from './transaction-bounds.js';
import { OWNER_PROPERTY, type TransactionCheckHandler } from './transaction-check.js';
import { TransactionMemory } from './transaction-memory.js';

/** Never connects: what is answered by "unknown" sends nothing. */
function answersBy(
  checker: TransactionCheckHandler,
  connection = new Connection({ endpoints: '127.0.0.1:1' }),
  reported: string[] = [],
  memory = new TransactionMemory(new ManualClock(), 5 * MINUTE_MS),
): CheckAnswers {
  const role: ClientRole = {
    type: ClientType.PRODUCER,
    settings: () => ({}),
    onSettings: () => false,
    onCommand: () => false,
  };
  return new CheckAnswers({
    client: new Client(connection, role),
    memory,
    checkers: new Map([['orders', checker]]),
    bounds: new TransactionBounds({}),
    ownerOf: () => 'shop',
    onChecked: (_, resolution) => void reported.push(resolution),
    onEnded: (_, resolution) => void reported.push(`ended: ${resolution}`),
  });
}

function checkOf(transactionId: string): ServerCommand {
  const half = toWireMessage(
    { topic: 'orders', body: 'x', properties: { [OWNER_PROPERTY]: 'shop' } },
    {
      messageId: transactionId,
      type: 'transaction',
      body: Buffer.from('x'),
      namespace: '',
      bornTimestampMs: 0,
      bornHost: '',
      queueId: 0,
      deliveryTimestampMs: undefined,
    },
  );
  return { $case: 'recoverOrphanedTransactionCommand', value: { message: half, transactionId } };
}

const ENDPOINT = { addresses: [{ host: '127.0.0.1', port: 1 }] };

describe('the answers to checks', () => {
  it('are not sent when the transaction has ended while the checker was running', async () => {
    const reported: string[] = [];
    const memory = new TransactionMemory(new ManualClock(), 5 * MINUTE_MS);
    const checker: TransactionCheckHandler = () => {
      memory.ended('1', 'commit', true);
      return 'commit';
    };
    const answers = answersBy(checker, undefined, reported, memory);
    answers.take(checkOf('1'), ENDPOINT);
    await answers.drain();
    expect(reported).toEqual(['unknown']);
  });

  it('call the checker once for a transaction, however often the server checks it meanwhile', async () => {
    const asked: string[] = [];
    const answers = answersBy(({ transactionId }) => void asked.push(transactionId));
    for (const id of ['a', 'a', 'b', 'a']) answers.take(checkOf(id), ENDPOINT);
    await answers.drain();
    expect(asked).toEqual(['a', 'b']);
    answers.take(checkOf('a'), ENDPOINT);
    await answers.drain();
    expect(asked).toEqual(['a', 'b', 'a']);
  });

  it('run at most 16 checkers at once, and drop excess checks, which the server repeats', async () => {
    let running = 0;
    let most = 0;
    let total = 0;
    const answers = answersBy(async () => {
      most = Math.max(most, ++running);
      total++;
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return undefined;
    });
    for (let count = 0; count < 1_200; count++) answers.take(checkOf(`t${count}`), ENDPOINT);
    await answers.drain();
    expect([most, total]).toEqual([16, 1_000]);
  });

  it('end a transaction once, even if the next check was already on its way', async () => {
    const broker = await TestBroker.start({ strict: true, topics: [{ name: 'orders', type: 'transaction' }] });
    const raw = new RawClient(broker.endpoints, 'raw@1@0@a');
    const connection = new Connection({ endpoints: broker.endpoints });
    const reported: string[] = [];
    try {
      // Two halves of one id stand for the one that the server still holds when it asks again.
      const half = message('orders', 'a', { messageType: 4 });
      for (let sent = 0; sent < 2; sent++) await raw.call('sendMessage', { messages: [half] });
      const answers = answersBy(() => 'commit', connection, reported);
      for (let asked = 0; asked < 2; asked++) {
        answers.take(checkOf('a'), connection.bootstrap);
        await answers.drain();
      }
      expect([reported, broker.messages('orders').length]).toEqual([['commit', 'ended: commit', 'unknown'], 1]);
    } finally {
      raw.close();
      connection.close();
      await broker.stop();
    }
  });
});

describe('the checks of a producer that closes', () => {
  const count = 20;
  let bench: ProducerBench;
  let signals: AbortSignal[];
  let answerAll: () => void;

  beforeEach(async () => {
    bench = await ProducerBench.start({ topics: [{ name: 'orders', type: 'transaction' }], manualClock: true });
  });
  afterEach(() => bench.close());

  async function start(checker: TransactionCheckHandler): Promise<Producer> {
    const producer = bench.newProducer({ transactionCheckers: { orders: checker }, checkTimeoutMs: 25_000 });
    await producer.start();
    return producer;
  }

  /** Half messages of a process that has died, and a producer of which the checkers of 16 of them run. */
  async function checkersRun(): Promise<Producer> {
    const dead = await start(() => 'unknown');
    for (let sent = 0; sent < count; sent++) await dead.beginTransaction({ topic: 'orders', body: 'one' });
    await dead.close();
    signals = [];
    const answered = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    const producer = await start(async ({ signal }) => {
      signals.push(signal);
      await answered;
      return 'commit' as const;
    });
    await bench.broker.advance(7 * SECOND_MS, { duringWork: true });
    await until(() => signals.length === 16);
    return producer;
  }

  const visible = (): number => bench.broker.messages('orders').length;

  it('are left to the next check when a checker takes longer than the grace period, and no other is called', async () => {
    const producer = await checkersRun();
    await producer.close({ shutdownGraceMs: 0 });
    expect(signals.map(({ aborted }) => aborted)).toEqual(Array(16).fill(true));
    answerAll();
    await start(() => 'commit');
    expect([visible(), bench.broker.halfMessages().length]).toEqual([0, count]);
    await bench.broker.advance(2 * MINUTE_MS);
    expect([visible(), bench.broker.halfMessages().length, signals.length]).toEqual([count, 0, 16]);
  });

  it('are answered if their checkers end in the grace period; waiting ones are not', async () => {
    const producer = await checkersRun();
    const closed = producer.close({ shutdownGraceMs: MINUTE_MS });
    answerAll();
    await closed;
    await until(() => visible() === 16);
    expect([signals.length, signals.some(({ aborted }) => aborted)]).toEqual([16, false]);
  });

  it('do not delay a failed local transaction beyond the grace period', async () => {
    let signal: AbortSignal | undefined;
    const producer = await start((check) => {
      signal = check.signal;
      return new Promise(() => {});
    });
    const failing = producer.transact({ message: { topic: 'orders', body: 'one' } }, () =>
      Promise.reject(new Error('no stock')),
    );
    failing.catch(() => {});
    await until(() => signal !== undefined);
    await producer.close({ shutdownGraceMs: 0 });
    expect(signal?.aborted).toBe(true);
    await expect(failing).rejects.toThrow('no stock');
    expect(bench.broker.halfMessages()).toHaveLength(1);
  });
});
