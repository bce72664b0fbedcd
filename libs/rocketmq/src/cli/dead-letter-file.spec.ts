// Dead letters that are chosen by their error, and those in a file.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { type Called, call, words } from '../../../../test/fixtures/command-line.js';
import { NestBench } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import type { ExportedDeadLetter } from '../admin/dead-letters/exported-dead-letters.js';
import { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { Connection, Producer, SimpleConsumer } from '../entries/client.js';
import { DeadLetterError, RocketMQListener, RocketMQProducer } from '../entries/nest.js';
import { exportTo } from './dead-letter-file.js';

class CardError extends Error {
  override readonly name = 'CardError';
  readonly code = 'E_DECLINED';
}

@Injectable()
class Billing {
  @RocketMQListener('orders', { consumerGroup: 'billing', maxAttempts: 1 })
  charge(body: string): void {
    if (body === 'hopeless') throw new DeadLetterError('no such account');
    throw new CardError(`card of ${body} declined`);
  }
}

const WHOLE_GROUP = {
  scope: { group: 'billing' },
  choice: { isMeant: () => true, byError: undefined },
  after: undefined,
  operationsTopic: undefined,
};
const OPERATIONS = '--operations-topic operations';
const folder = mkdtempSync(join(tmpdir(), 'dead-letters-'));
let bench: NestBench;
let file: string;
let count = 0;

beforeAll(async () => {
  bench = await NestBench.open({ nameServerPort: 0 });
  bench.broker.declareTopic({ name: 'operations', type: 'normal', queues: 2 });
  const app = await bench.start({ providers: [Billing], options: { operations: { topic: 'operations' } } });
  const producer = app.get(RocketMQProducer);
  for (const body of ['Ada', 'Bob', 'hopeless'])
    await producer.send({ topic: 'orders', body: `"${body}"`, keys: [body], tag: 'paid', properties: { of: body } });
  await until(() => bench.broker.messages('operations').length === 3);
  await until(async () => (await on('dlq list billing')).out.includes('3 of 3 dead letters'));
  await bench.closeApps();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await bench.close();
});
beforeEach(() => {
  file = join(folder, `${++count}.jsonl`);
});

const on = (line: string): Promise<Called> =>
  call([...words(line), '--name-server', bench.broker.nameServerEndpoint ?? '']);
const linesOf = (name: string) =>
  readFileSync(name, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const keysOf = (lines: readonly ExportedDeadLetter[]) => lines.map(({ properties: { KEYS } }) => KEYS).sort();

describe('dlq replay --error', () => {
  it('chooses by the class of the error, or by class and code', async () => {
    const chosen = async (...names: string[]) =>
      (
        await call([
          ...words(`dlq replay billing ${OPERATIONS} --name-server ${bench.broker.nameServerEndpoint}`),
          ...names.flatMap((name) => ['--error', name]),
        ])
      ).out;
    expect(await chosen('CardError')).toContain('2 dead letters would be replayed');
    expect(await chosen('CardError E_DECLINED')).toContain('2 dead letters would be replayed');
    expect(await chosen('CardError E_OTHER')).toContain('0 dead letters would be replayed');
    expect(await chosen('CardError', 'DeadLetterError')).toContain('3 dead letters would be replayed');
  });

  it('is rejected where the errors are not known', async () => {
    expect(await on('dlq replay billing --error CardError')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--error needs --operations-topic'),
    });
    expect(await on('dlq replay billing --error CardError --operations-topic nope')).toMatchObject({
      code: 1,
      err: expect.stringContaining('"nope" does not exist'),
    });
  });
});

describe('dlq export', () => {
  it('writes a private file: a line for each with its reason, and a last one that says that it is complete', async () => {
    expect(await on(`dlq export billing ${file} ${OPERATIONS}`)).toEqual({
      code: 0,
      out: `3 dead letters in ${file}\n`,
      err: '',
    });
    const lines = linesOf(file);
    expect(lines.at(-1)).toEqual({ exported: 3, next: null });
    expect(keysOf(lines.slice(0, -1))).toEqual(['Ada', 'Bob', 'hopeless']);
    expect(lines).toContainEqual(
      expect.objectContaining({
        consumerGroup: 'billing',
        originTopic: 'orders',
        properties: expect.objectContaining({ KEYS: 'Ada', TAGS: 'paid', of: 'Ada' }),
        body: Buffer.from('"Ada"').toString('base64'),
        reason: 'attempts-exhausted: CardError E_DECLINED: card of Ada declined',
      }),
    );
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('writes only those that are chosen', async () => {
    await on(`dlq export billing ${file} ${OPERATIONS} --error DeadLetterError`);
    expect(keysOf(linesOf(file).slice(0, -1))).toEqual(['hopeless']);
  });

  it('replaces no file, and leaves none of a group that does not exist', async () => {
    writeFileSync(file, 'mine');
    const rejected = { code: 2, err: expect.stringContaining('nothing was written; name a new file') };
    expect(await on(`dlq export billing ${file}`)).toMatchObject(rejected);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect(await on(`dlq export nope ${file}2`)).toMatchObject({ code: 1 });
    expect(() => statSync(`${file}2`)).toThrow('ENOENT');
  });

  it('says in the last line where to continue when the file is full, and continues there', async () => {
    const admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint ?? '' });
    const request = { admin, ...WHOLE_GROUP };
    const { next } = await exportTo(file, { ...request, maxBytes: 10 }, { warn() {} });
    await admin.close();
    const [first, end] = linesOf(file);
    expect(end).toEqual({ exported: 1, next });
    await on(`dlq export billing ${file}2 --after ${next}`);
    expect(keysOf([first, ...linesOf(`${file}2`).slice(0, -1)])).toEqual(['Ada', 'Bob', 'hopeless']);
  });

  it('says in the last line where to continue when a server fails', async () => {
    const admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint ?? '' });
    const failing = {
      exportDeadLetters: async (group: string, options: { after?: string }) => {
        if (options.after !== undefined) throw new Error('gone');
        return admin.exportDeadLetters(group, { limit: 1 });
      },
    } as unknown as RocketMQAdmin;
    const request = { admin: failing, ...WHOLE_GROUP };
    const error = await exportTo(file, request, { warn() {} }).catch((reason: Error) => reason);
    const [, end] = linesOf(file);
    expect(error).toMatchObject({
      message: expect.stringContaining(`1 dead letter in ${file}, then failed: gone; write the rest into another`),
    });
    expect(end).toEqual({ exported: 1, next: expect.any(String) });
    await admin.close();
    expect((await on(`dlq import ${file}`)).err).toContain(`its export ended at ${end.next}, where another export`);
  });

  it('says in the last line who did not answer', async () => {
    const admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint ?? '' });
    const lacking = {
      exportDeadLetters: async (group: string, options: object) => ({
        ...(await admin.exportDeadLetters(group, options)),
        failures: [{ name: 'broker-b', error: 'timed out' }],
      }),
    } as unknown as RocketMQAdmin;
    const request = { admin: lacking, ...WHOLE_GROUP };
    await exportTo(file, request, { warn() {} });
    await admin.close();
    expect(linesOf(file).at(-1)).toEqual({ exported: 3, next: null, unanswered: ['broker-b'] });
    const { err } = await on(`dlq import ${file}`);
    expect(err).toContain(
      'is not complete: its export ended without the dead letters of broker-b, which did not answer',
    );
  });
});

describe('dlq export --all-groups', () => {
  beforeAll(async () => {
    await bench.broker.declareGroup({ name: 'audit' });
    const connection = new Connection({ endpoints: bench.broker.endpoints });
    const producer = new Producer(connection);
    await producer.start();
    await producer.send({ topic: 'other', body: 'Cyd', keys: ['Cyd'] });
    await producer.close();
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'audit', subscriptions: [{ topic: 'other' }] });
    await consumer.start();
    await until(async () => {
      const [message] = await consumer.receive();
      if (message !== undefined) await consumer.forwardToDeadLetterQueue(message);
      return message !== undefined;
    });
    await consumer.close();
    await connection.close();
  });

  it('writes those of each group after another, and an import sends each to its own', async () => {
    expect(await on(`dlq export --all-groups ${file}`)).toEqual({
      code: 0,
      out: `4 dead letters in ${file}\n`,
      err: '',
    });
    const lines = linesOf(file);
    expect(lines.at(-1)).toEqual({ exported: 4, next: null });
    expect(lines.slice(0, -1).map(({ consumerGroup }) => consumerGroup)).toEqual([
      'audit',
      'billing',
      'billing',
      'billing',
    ]);
    const imported = await on(`dlq import ${file} --only-this-group`);
    expect(imported).toMatchObject({ code: 0, err: '' });
    expect(imported.out).toContain('topic other is consumed by: audit\n');
    expect(imported.out).toContain('4 dead letters would be replayed');
  });

  it('continues in the group where a file is full, and at the position of any line', async () => {
    const admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint ?? '' });
    const scope = { groups: ['audit', 'billing'], failures: [] };
    const { next } = await exportTo(file, { admin, ...WHOLE_GROUP, scope, maxBytes: 10 }, { warn() {} });
    await admin.close();
    const [first, end] = linesOf(file);
    expect([first.consumerGroup, end]).toEqual(['audit', { exported: 1, next }]);
    expect(next).toMatch(/^billing\/.+\/\d+\/\d+$/);
    const keysFrom = async (after: string): Promise<readonly unknown[]> => {
      const name = `${file}-${++count}`;
      expect(await on(`dlq export --all-groups ${name} --after ${after}`)).toMatchObject({ code: 0, err: '' });
      return keysOf(linesOf(name).slice(0, -1));
    };
    expect(await keysFrom(`${next}`)).toEqual(['Ada', 'Bob', 'hopeless']);
    expect(await keysFrom('billing')).toEqual(['Ada', 'Bob', 'hopeless']);
    expect(await keysFrom(`audit/${first.position}`)).toEqual(['Ada', 'Bob', 'Cyd', 'hopeless']);
  });

  it('says in the last line where to continue when a server fails at the beginning of a group', async () => {
    const admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint ?? '' });
    const failing = {
      exportDeadLetters: async (group: string, options: object) => {
        if (group === 'billing') throw new Error('gone');
        return admin.exportDeadLetters(group, options);
      },
    } as unknown as RocketMQAdmin;
    const scope = {
      groups: ['audit', 'billing'],
      failures: [{ name: 'broker-b', address: '', error: new Error('away') }],
    };
    const error = await exportTo(file, { admin: failing, ...WHOLE_GROUP, scope } as never, { warn() {} }).catch(
      (reason: Error) => reason,
    );
    await admin.close();
    expect(error).toMatchObject({
      message: expect.stringContaining('write the rest into another file with --after billing'),
    });
    expect(linesOf(file).at(-1)).toEqual({ exported: 1, next: 'billing', unanswered: ['broker-b'] });
  });

  it.each([
    ['dlq export billing', 'name a group and a file, or a file alone with --all-groups'],
    ['dlq export --all-groups', 'name a group and a file, or a file alone with --all-groups'],
    ['dlq export --all-groups billing FILE', 'name a group and a file, or a file alone with --all-groups'],
    ['dlq export --all-groups FILE --after nobody/b/0/0', 'no dead letters of a group "nobody"'],
    [
      'dlq export --all-groups FILE --after billing/0',
      '--after is "billing/0", whose position is "0"; it must be "next"',
    ],
    ['dlq export --all-groups FILE --after billing/', 'it is GROUP/POSITION, or GROUP to begin with'],
    ['dlq export --all-groups FILE --after billing/nobody/0/0', 'has no queue 0 on a broker "nobody"; it has '],
    ['dlq export billing FILE --after nobody/0/0', '--after is "nobody/0/0", but topic "%DLQ%billing" has no queue 0'],
    ['dlq export billing FILE --after embedded/99/0', 'has no queue 99 on a broker'],
    ['dlq export billing FILE --after embedded/0/99', 'but this queue of topic "%DLQ%billing" ends at 3'],
    ['dlq export billing FILE --after x', 'the position of a message such as broker-a/0/17'],
  ])('rejects %s', async (line, problem) => {
    expect(await on(line.replace('FILE', file))).toMatchObject({ code: 2, err: expect.stringContaining(problem) });
    expect(() => statSync(file)).toThrow('ENOENT');
  });
});

describe('dlq import', () => {
  it('names the line that is wrong, and sends nothing', async () => {
    await on(`dlq export billing ${file}`);
    const whole = readFileSync(file, 'utf8');
    const [first = ''] = whole.split('\n');
    const wrong: [string, string][] = [
      ['not JSON', 'line 5 is no whole line of JSON; nothing was sent'],
      ['{"consumerGroup":"billing"}', 'line 5: position is missing; nothing was sent'],
      ['7', 'line 5: must be an object, not 7; nothing was sent'],
      [first.replace(/"body":"[^"]*"/, '"body":"%"'), 'line 5: body must be base64; nothing was sent'],
      [first.replace('"orders"', '"or ders"'), 'line 5: originTopic "or ders" '],
      [first.replace('"of":', '"o\\u0002f":'), 'line 5: properties must have no empty names, and no characters'],
      [first.replace('"flag"', '"flags"'), 'line 5: flags is unknown'],
    ];
    for (const [line, problem] of wrong) {
      writeFileSync(file, `${whole}${line}\n`);
      expect(await on(`dlq import ${file} --yes`)).toEqual({ code: 2, out: '', err: expect.stringContaining(problem) });
    }
    expect((await on('dlq list billing')).out).not.toMatch(/ yes /);
    expect(await on(`dlq import ${file}-none --yes`)).toMatchObject({
      code: 2,
      err: expect.stringContaining('cannot read'),
    });
  });

  it('warns of a file whose export was stopped, and sends what it has', async () => {
    await on(`dlq export billing ${file}`);
    const [first, second] = linesOf(file) as ExportedDeadLetter[];
    writeFileSync(file, `${JSON.stringify(first)}\n\n${JSON.stringify(second)}`);
    const { code, out, err } = await on(`dlq import ${file}`);
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringContaining(`its export ended after ${second?.position}`),
    });
    expect(out).toContain('2 dead letters would be replayed');
  });

  it('shows what it would send, sends it once, and knows what a replay has sent', async () => {
    await on(`dlq export billing ${file}`);
    await on('dlq replay billing --key Bob --yes');
    const plan = await on(`dlq import ${file} --only-this-group`);
    expect(plan).toMatchObject({ code: 0, err: '' });
    expect(plan.out).toBe(
      'topic orders is consumed by: billing\n2 dead letters would be replayed, 1 skipped because they already were, 0 cannot be replayed; nothing was sent; add --yes to replay them\n',
    );
    // Its queue is no longer needed. An editor may have stored the file in its own way.
    await on('topic delete %DLQ%billing --yes');
    writeFileSync(file, `\uFEFF${readFileSync(file, 'utf8').replaceAll('\n', '\r\n')}\r\n`);
    const sent = '2 dead letters replayed, 1 skipped because they already were, 0 failed\n';
    expect(await on(`dlq import ${file} --yes`)).toEqual({ code: 0, out: sent, err: '' });
    const again = await on(`dlq import ${file} --yes --json`);
    expect(JSON.parse(again.out)).toEqual({ file, done: true, replayed: [], replayedBefore: 3, failed: [] });
    const orders = bench.broker.messages('orders');
    expect(orders).toHaveLength(6);
    for (const key of ['Ada', 'Bob', 'hopeless']) {
      const [first, second] = orders.filter(({ keys }) => keys.includes(key));
      expect(second).toMatchObject({ messageId: first?.messageId, tag: 'paid', body: first?.body });
    }
  });
});

@Injectable()
class Unpaid {
  @RocketMQListener('invoices', { consumerGroup: 'unpaid', maxAttempts: 1 })
  pay(): void {
    throw new CardError('declined again');
  }
}

describe('dlq replay of a group whose listener fails again', () => {
  it('ends with the dead letters that were there when it began', async () => {
    const failing = await NestBench.open({ nameServerPort: 0 });
    try {
      const app = await failing.start({ providers: [Unpaid] });
      const access = ['--name-server', failing.broker.nameServerEndpoint ?? '', '--timeout', '60000'];
      const replay = ['dlq', 'replay', 'unpaid', ...access];
      const bodies = Array.from({ length: 130 }, (_, index) => ({ topic: 'invoices', body: `${index}` }));
      await app.get(RocketMQProducer).sendBatch(bodies);
      await until(async () => (await call(replay)).out.includes('130 dead letters would be replayed'));
      const sent = { code: 0, err: '', out: expect.stringContaining('130 dead letters replayed') };
      expect(await call([...replay, '--yes'])).toEqual(sent);
      await until(async () => (await call(replay)).out.includes('130 dead letters would be replayed, 130 skipped'));
    } finally {
      await failing.close();
    }
  });
});
