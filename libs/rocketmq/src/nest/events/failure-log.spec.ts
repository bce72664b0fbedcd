// What is kept of failures, and how little that may cost: records wait in memory, bounded, and a broker that is away holds up nothing.

import { homedir } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import { type FailureRecord, parseFailureRecord } from '../../protocol/model/failure-record.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import type { CallOptions } from '../../support/deadline.js';
import { ManualClock } from '../../support/manual-clock.js';
import { type Failure, FailureLog } from './failure-log.js';

const retry = { kind: 'retry', delayMs: 1_000 } as const;
const deadLetter = { kind: 'deadLetter', reason: 'attempts-exhausted' } as const;

function failureOf(error: unknown, given: Partial<Failure> = {}): Failure {
  return {
    consumerGroup: 'billing',
    message: { topic: 'orders', messageId: 'A1', deliveryAttempt: 2 },
    error,
    settlement: retry,
    ...given,
  };
}

/** A log, and what it sends. */
function benchOf(options: { readonly texts?: boolean } = {}) {
  const sent: OutgoingMessage[] = [];
  const state = { send: async (_options: CallOptions): Promise<void> => {} };
  const clock = new ManualClock();
  const logger = recordingLogger();
  const log = new FailureLog({
    topic: 'operations',
    ...options,
    clock,
    logger,
    instance: 'host@1@0@x',
    send: async (message, callOptions) => {
      await state.send(callOptions);
      sent.push(message);
    },
  });
  const records = () => sent.map(({ body }) => parseFailureRecord(Buffer.from(body)) as FailureRecord);
  return { log, sent, records, state, clock, logger };
}

class CardError extends Error {
  override readonly name = 'CardError';
  readonly code = 'E_DECLINED';
}

describe('a failure', () => {
  it('is kept as one message, which is found by message id and group', async () => {
    const { log, sent, records, clock } = benchOf();
    log.record(failureOf(new CardError('card 4711 declined')));
    log.record(failureOf(new CardError('card 4711 declined'), { settlement: deadLetter }));
    await log.close(SECOND_MS);
    expect(sent).toMatchObject([
      { topic: 'operations', tag: 'retry', keys: ['A1', 'billing'] },
      { topic: 'operations', tag: 'dead-letter', keys: ['A1', 'billing'] },
    ]);
    expect(records()[1]).toEqual({
      atMs: clock.nowMs(),
      consumerGroup: 'billing',
      topic: 'orders',
      messageId: 'A1',
      deliveryAttempt: 2,
      settlement: deadLetter,
      error: { name: 'CardError', code: 'E_DECLINED', text: 'card 4711 declined', stack: expect.any(String) },
      instance: 'host@1@0@x',
      leftOut: 0,
    });
  });

  it('has the frames of its stack, by paths that begin with no folder of a person', async () => {
    const { log, records } = benchOf();
    log.record(failureOf(new Error('no')));
    await log.close(SECOND_MS);
    const [frame] = records()[0]?.error.stack?.split('\n') ?? [];
    expect(frame).toMatch(/^at .*failure-log\.spec\.ts:\d+/);
    expect(records()[0]?.error.stack).not.toContain(process.cwd());
    expect(records()[0]?.error.stack).not.toContain(homedir());
    expect(records()[0]?.error.stack).not.toContain('node_modules');
  });

  it('has no text without texts, neither in its stack nor in the place of its name or code', async () => {
    const { log, sent } = benchOf({ texts: false });
    const named = Object.assign(new Error('secret one\n    at secret two'), {
      name: 'secret three',
      code: 'secret four',
    });
    const [prefixed, emptied] = ['seven', 'eight'].map((one) => new Error(`x\n    at secret ${one}`)) as [Error, Error];
    prefixed.message = `order 1: ${prefixed.message}`;
    emptied.message = '';
    const errors = [named, 'secret five', { message: 'secret six' }, prefixed, emptied];
    for (const error of errors) log.record(failureOf(error));
    await log.close(SECOND_MS);
    expect(sent).toHaveLength(5);
    expect(JSON.stringify(sent)).not.toContain('secret');
  });

  it('is bounded, and may be anything that can be thrown', async () => {
    const { log, sent, records } = benchOf();
    const hostile = Object.defineProperty(new Error('x'), 'message', {
      get: () => {
        throw new Error('no');
      },
    });
    const huge = new Error('y'.repeat(1_000_000));
    for (const error of [undefined, null, Symbol('s'), 7, hostile, huge]) log.record(failureOf(error));
    await log.close(SECOND_MS);
    expect(records().map(({ error }) => error.name)).toEqual([
      'a thrown undefined',
      'a thrown object',
      'a thrown symbol',
      'a thrown number',
      'Error',
      'Error',
    ]);
    for (const { body } of sent) expect(body.length).toBeLessThan(5_000);
  });

  it('of a message whose id is no key is found by its group', async () => {
    const { log, sent } = benchOf();
    for (const messageId of ['a b', '', 'x'.repeat(300), 'é'])
      log.record(failureOf(new Error('no'), { message: { topic: 'orders', messageId, deliveryAttempt: 1 } }));
    await log.close(SECOND_MS);
    expect(sent.map(({ keys }) => keys)).toEqual([['billing'], ['billing'], ['billing'], ['billing']]);
  });

  it('of a listener of the failures themselves is not kept', async () => {
    const { log, sent } = benchOf();
    log.record(failureOf(new Error('no'), { message: { topic: 'operations', messageId: 'B', deliveryAttempt: 1 } }));
    await log.close(SECOND_MS);
    expect(sent).toEqual([]);
  });
});

describe('many failures', () => {
  it('are kept up to 30 a minute of each kind, group and topic; a record counts the others', async () => {
    const { log, records, clock } = benchOf();
    for (let count = 0; count < 100; count++) log.record(failureOf(new Error('no')));
    log.record(failureOf(new Error('no'), { settlement: deadLetter }));
    log.record(failureOf(new Error('no'), { consumerGroup: 'shop' }));
    await until(() => records().length === 32);
    await clock.advanceTo(clock.nowMs() + MINUTE_MS);
    log.record(failureOf(new Error('again')));
    log.record(failureOf(new Error('again')));
    await log.close(SECOND_MS);
    expect(records().map(({ leftOut }) => leftOut)).toEqual([...new Array(32).fill(0), 69, 0, 0]);
  });

  it('wait while the server does not answer, up to 200; what is not kept is logged once and counted', async () => {
    const { log, records, state, logger } = benchOf();
    let fail = (): void => {};
    state.send = () =>
      new Promise((_, reject) => {
        fail = () => reject(new Error('no server'));
      });
    for (let group = 0; group < 20; group++)
      for (let count = 0; count < 20; count++) log.record(failureOf(new Error('no'), { consumerGroup: `g${group}` }));
    fail();
    await until(() => logger.lines.length === 1);
    fail();
    await until(() => logger.lines.length === 2);
    expect(logger.lines.map(([line]) => line.split(' ')[0])).toEqual(['warn', 'debug']);
    state.send = async () => {};
    fail();
    await until(() => records().length > 190);
    log.record(failureOf(new Error('later'), { consumerGroup: 'g0' }));
    log.record(failureOf(new Error('later'), { consumerGroup: 'g19' }));
    await log.close(SECOND_MS);
    // The first three failed; of the last group nothing had room.
    const later = records().filter(({ error }) => error.text === 'later');
    expect(later).toMatchObject([{ leftOut: 3 }, { leftOut: 20 }]);
  });
});

describe('a burst of failures that none follows', () => {
  const burst = (log: FailureLog, count: number): void => {
    for (let sent = 0; sent < count; sent++)
      log.record(
        failureOf(new Error(`no ${sent}`), { message: { topic: 'orders', messageId: `A${sent}`, deliveryAttempt: 1 } }),
      );
  };

  it('is counted by its last one when the minute is over', async () => {
    const { log, records, clock } = benchOf();
    burst(log, 1_000);
    await until(() => records().length === 30);
    await clock.advanceTo(clock.nowMs() + MINUTE_MS - 1);
    expect(records()).toHaveLength(30);
    await clock.advanceTo(clock.nowMs() + 1);
    await until(() => records().length === 31);
    expect(records().at(-1)).toMatchObject({ messageId: 'A999', error: { text: 'no 999' }, leftOut: 969 });
    await clock.advanceTo(clock.nowMs() + 10 * MINUTE_MS);
    await log.close(SECOND_MS);
    expect(records()).toHaveLength(31);
  });

  it('is counted by its last one at a shutdown', async () => {
    const { log, records, clock, logger } = benchOf();
    burst(log, 1_000);
    await log.close(SECOND_MS);
    expect(records().at(-1)).toMatchObject({ messageId: 'A999', leftOut: 969 });
    expect(records()).toHaveLength(31);
    expect(clock.nextDueAtMs()).toBeUndefined();
    expect(logger.lines).toEqual([]);
  });

  it('is counted as soon as the topic is back, at most a minute later', async () => {
    const { log, records, state, clock, logger } = benchOf();
    state.send = () => Promise.reject(new Error('no such topic'));
    burst(log, 100);
    await until(() => logger.lines.length === 30);
    await clock.advanceTo(clock.nowMs() + 5 * MINUTE_MS);
    await until(() => logger.lines.length > 30);
    state.send = async () => {};
    await until(() => clock.nextDueAtMs() !== undefined);
    await clock.advanceTo(clock.nowMs() + MINUTE_MS);
    await log.close(SECOND_MS);
    expect(records()).toMatchObject([{ messageId: 'A99', leftOut: 99 }]);
    expect(logger.lines.filter(([line]) => line.startsWith('warn'))).toHaveLength(1);
  });

  it('is in the log of a shutdown when the topic is not back', async () => {
    const { log, records, state, logger } = benchOf();
    state.send = () => Promise.reject(new Error('no such topic'));
    burst(log, 100);
    await log.close(SECOND_MS);
    expect(records()).toEqual([]);
    expect(logger.lines.at(-1)).toMatchObject([expect.stringContaining('warn failures of'), { unsent: 100 }]);
  });
});

describe('a shutdown', () => {
  it('sends what waits, and keeps nothing more', async () => {
    const { log, records } = benchOf();
    for (let count = 0; count < 10; count++) log.record(failureOf(new Error('no')));
    await log.close(SECOND_MS);
    expect(records()).toHaveLength(10);
    log.record(failureOf(new Error('late')));
    await log.close(SECOND_MS);
    expect(records()).toHaveLength(10);
  });

  it('ends within its grace period when the server does not answer, and logs how many were not kept', async () => {
    const { log, records, state, logger } = benchOf();
    state.send = ({ signal }) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    for (let count = 0; count < 10; count++) log.record(failureOf(new Error('no')));
    await log.close(1);
    expect(records()).toEqual([]);
    expect(logger.lines).toEqual([
      ['warn failures of handlers were not kept before the shutdown', { unsent: 10, operationsTopic: 'operations' }],
    ]);
  });
});

describe('a body that is no record', () => {
  it('is one whose time cannot be shown, and one that is far larger than any record', () => {
    const error = { name: 'Error' };
    const about = {
      consumerGroup: 'g',
      topic: 't',
      messageId: 'm',
      deliveryAttempt: 1,
      settlement: retry,
      instance: 'i',
    };
    const parsed = (given: object) =>
      parseFailureRecord(Buffer.from(JSON.stringify({ ...about, error, atMs: 1, leftOut: 0, ...given })));
    expect(parsed({})).toBeDefined();
    for (const wrong of [{ atMs: 1e300 }, { atMs: -9e15 }, { instance: 'x'.repeat(100_000) }])
      expect(parsed(wrong)).toBeUndefined();
  });

  it.each(['', 'null', '7', '"x"', '{}', '{"atMs":1}', '[]', '{"atMs":1,"error":null}', '\u0000'])(
    '%j is none',
    (body) => {
      expect(parseFailureRecord(Buffer.from(body))).toBeUndefined();
    },
  );
});
