// Half messages that the server has given up, resumed from the command line: the transaction log decides about them.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Called, call, words } from '../../../../test/fixtures/command-line.js';
import { Connection, currentLocalTransaction, MINUTE_MS, Producer, type Resolution } from '../entries/client.js';
import { TestBroker } from '../entries/testing.js';

let broker: TestBroker;
let connection: Connection;
let producer: Producer;
/** The transaction log of the service. */
const log = new Map<string, Resolution>();
const ids: Record<string, string> = {};

beforeAll(async () => {
  const checks = { transactionFirstCheckMs: 6_000, transactionCheckIntervalMs: 30_000, transactionCheckMax: 15 };
  broker = await TestBroker.start({ nameServerPort: 0, manualClock: true, ...checks });
  for (const name of ['orders', 'refunds']) broker.declareTopic({ name, type: 'transaction' });
  connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
  const answer = ({ messageId }: { messageId: string }) => log.get(messageId) ?? 'unknown';
  producer = new Producer(connection, { transactionCheckers: { orders: answer, refunds: answer } });
  await producer.start();
  for (const [topic, body] of [
    ['orders', 'kept'],
    ['orders', 'dropped'],
    ['refunds', 'other'],
  ] as const) {
    await producer
      .transact({ message: { topic, body } }, async () => {
        ids[body] = currentLocalTransaction().messageId;
        throw new Error('the database is unavailable');
      })
      .catch(() => {});
  }
  await broker.advance(10 * MINUTE_MS);
});
afterAll(async () => {
  await producer.close();
  connection.close();
  await broker.stop();
});

const on = (line: string): Promise<Called> => call([...words(line), '--name-server', broker.nameServerEndpoint]);
const delivered = () => broker.messages('orders').map(({ body }) => body.toString());

describe('transaction', () => {
  it('lists half messages that were given up, and changes nothing without --yes', async () => {
    const { out, code } = await on('transaction list');
    expect(code).toBe(0);
    expect(out).toMatch(/OF TOPIC/);
    for (const [body, topic] of [
      ['kept', 'orders'],
      ['other', 'refunds'],
    ] as const) {
      expect(out).toMatch(new RegExp(`^${ids[body]} .* ${topic} +${body}$`, 'm'));
    }
    expect(out).toContain('3 of 3 half messages\n');
    const doctor = await call(words(`doctor ${broker.endpoints} --admin ${broker.nameServerEndpoint}`));
    expect(doctor.out).toMatch(
      /preview: npx nestjs-rocketmq transaction resume --name-server \S+; the same with --yes has them checked again/,
    );
    const dry = await on('transaction resume --topic orders');
    expect(dry.out).toContain('2 half messages would be checked again; nothing was changed; add --yes to resume\n');
    await broker.advance(MINUTE_MS);
    expect([delivered(), broker.halfMessages()]).toEqual([[], []]);
  });

  it('resumes the chosen half messages, which the log decides about, and skips those already delivered', async () => {
    log.set(ids.kept ?? '', 'commit');
    log.set(ids.dropped ?? '', 'rollback');
    const { out } = await on('transaction resume --topic orders --yes');
    expect(out).toBe('2 half messages resumed; the server checks them within its check interval (30 s by default)\n');
    await broker.advance(MINUTE_MS);
    expect([delivered(), broker.halfMessages()]).toEqual([['kept'], []]);
    expect((await on('transaction list')).out).toMatch(
      new RegExp(`^${ids.kept} .* orders \\(delivered since\\) +kept$`, 'm'),
    );
    const again = JSON.parse((await on(`transaction resume --id ${ids.kept} --yes --json`)).out);
    expect(again).toEqual({ done: true, messages: [] });
    await broker.advance(MINUTE_MS);
    expect(delivered()).toEqual(['kept']);
  });

  it('fails for an id that the server has not given up', async () => {
    const unknown = await on(`transaction resume --id none --id ${ids.kept} --yes`);
    expect(unknown).toMatchObject({ code: 1, out: expect.stringContaining('0 half messages resumed') });
    expect(unknown.err).toContain('half message none is not among those that the server has given up');
    expect(unknown.err).not.toContain(ids.kept);
  });

  it('accepts a limit and a position, and rejects a wrong command line', async () => {
    const first = JSON.parse((await on('transaction list --limit 1 --json')).out);
    expect(first).toMatchObject({ total: 3, messages: [{ messageId: ids.kept, isDelivered: true }] });
    const { out } = await on(`transaction list --limit 1 --after ${first.next}`);
    expect(out).toContain(ids.dropped);
    expect((await on('transaction list --limit none')).code).toBe(2);
  });
});
