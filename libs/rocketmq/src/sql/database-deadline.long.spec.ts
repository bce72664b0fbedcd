// A database that does not answer: nothing waits for it forever, and it is logged.

import { expect, it } from '@jest/globals';
import { soon } from '../../../../tools/until.js';
import { SqlCleanup } from './cleanup.js';
import { Outbox } from './outbox/outbox.js';
import { OutboxRelay } from './outbox/outbox-relay.js';
import type { SqlDatabase } from './sql-port.js';

const mute = (): { database: SqlDatabase; accesses: () => number } => {
  let accesses = 0;
  const transaction = (): Promise<never> => {
    accesses++;
    return new Promise(() => {});
  };
  return { database: { transaction }, accesses: () => accesses };
};

const recorded = () => {
  const lines: [string, unknown][] = [];
  const write = (line: string, fields?: Readonly<Record<string, unknown>>) => void lines.push([line, fields?.error]);
  return { lines, logger: { debug() {}, info() {}, warn: write, error: write } };
};

const send = async (): Promise<void> => {};

it('a relay stops, and logs why it did not wait', async () => {
  const { database, accesses } = mute();
  const { lines, logger } = recorded();
  const relay = new OutboxRelay({ outbox: new Outbox(), database, send, logger, sendTimeoutMs: 20 });
  relay.start();
  await soon(() => accesses() > 0);
  await Promise.all([relay.stop(), relay.stop()]);
  expect(lines).toEqual([
    [
      'stop of an outbox relay: the database does not answer, so what was under way is abandoned and may still take effect',
      '[DEADLINE_EXCEEDED] stop of an outbox relay did not finish within 5020 ms; it may have taken effect',
    ],
  ]);
});

it('a relay gives up an access after its lease, logs that, and tries again', async () => {
  const { database, accesses } = mute();
  const { lines, logger } = recorded();
  const relay = new OutboxRelay({ outbox: new Outbox(), database, send, logger, leaseMs: 30, sendTimeoutMs: 20 });
  await expect(relay.metrics()).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' });
  relay.start();
  await soon(() => accesses() > 2);
  await relay.stop();
  expect(lines[0]).toEqual([
    'an outbox relay could not access its table; it will retry',
    '[DEADLINE_EXCEEDED] access to the outbox did not finish within 30 ms; it may have taken effect',
  ]);
});

it('a cleanup stops, and logs why it did not wait', async () => {
  const { database, accesses } = mute();
  const own = recorded();
  const others = recorded();
  const cleanups = [
    new SqlCleanup({ database, tables: [new Outbox()], intervalMs: 1, logger: own.logger }),
    new SqlCleanup({
      database,
      tables: [{ purge: ({ transaction }) => transaction(async () => 0) }],
      intervalMs: 1,
      logger: others.logger,
    }),
  ];
  for (const cleanup of cleanups) cleanup.start();
  await soon(() => accesses() > 1);
  await Promise.all(cleanups.flatMap((cleanup) => [cleanup.stop(), cleanup.stop()]));
  expect(own.lines).toEqual([
    [
      'old rows could not be deleted; the next round tries again',
      '[DEADLINE_EXCEEDED] purge of rocketmq_outbox did not finish within 5000 ms; it may have taken effect',
    ],
  ]);
  expect(others.lines.map(([line]) => line)).toEqual([
    'stop of a cleanup: the database does not answer, so what was under way is abandoned and may still take effect',
  ]);
});
