// Histories with violations, and histories that only look like it.

import { describe, expect, it } from '@jest/globals';
import { violationsOf } from './checkers.js';
import type { Disturbance, Facts, HandlingFact, SendFact, TransactionFact } from './facts.js';

const NOTHING: Facts = {
  sends: [],
  handlings: [],
  transactions: [],
  disturbances: [],
  releases: [],
  pulls: false,
  isTight: false,
  dead: [],
  halves: [],
  resolutions: new Map(),
  maxAttempts: 2,
  attemptsOfServer: 17,
  limited: {},
  announced: [],
  groupsOf: { events: ['readers'] },
  connections: [],
  forgotten: [],
  renewals: [],
  closes: [],
  failedStarts: [],
  pauses: [],
  leaks: [],
  uncaught: [],
  hanging: [],
  peakUnpackedBytes: 0,
  bufferBound: 100,
};

function sent(key: string, fields: Partial<SendFact> = {}): SendFact {
  return {
    key,
    topic: 'events',
    process: 'a',
    atMs: 100,
    timeoutMs: 10_000,
    endMs: 110,
    outcome: 'acknowledged',
    ...fields,
  };
}

function handled(key: string, fields: Partial<HandlingFact> = {}): HandlingFact {
  return {
    key,
    group: 'readers',
    process: 'b',
    attempt: 1,
    startMs: 200,
    endMs: 210,
    end: 'done',
    ...fields,
  };
}

function transacted(fields: Partial<TransactionFact> = {}): TransactionFact {
  return {
    key: 't1',
    process: 'a',
    atMs: 100,
    durationMs: 50,
    transactionId: 'id',
    endMs: 150,
    error: undefined,
    ...fields,
  };
}

/** A disturbance of a process. */
function met(process: string, fromMs: number, untilMs: number): Disturbance {
  return { kind: 'link down', fromMs, untilMs, processes: [process] };
}

const kinds = (facts: Partial<Facts>): string[] => {
  return violationsOf({ ...NOTHING, ...facts }).map((violation) => violation.split(':')[0] ?? '');
};

describe('the judges', () => {
  it('find nothing in a correct history', () => {
    expect(kinds({ sends: [sent('m1')], handlings: [handled('m1')] })).toEqual([]);
  });

  it.each<[string, Partial<Facts>]>([
    ['lost', { sends: [sent('m1')] }],
    ['lost', { sends: [sent('m1')], handlings: [handled('m1', { end: 'failed' })] }],
    [
      'ghost',
      { sends: [sent('m1', { outcome: 'not-sent', timeoutMs: 10, error: 'DEADLINE' })], handlings: [handled('m1')] },
    ],
    ['unexplained', { sends: [sent('m1', { outcome: 'unknown', error: 'broken' })] }],
    ['unexplained', { sends: [sent('m1', { outcome: 'not-sent', error: 'no stream ids' })] }],
    ['repeated', { sends: [sent('m1')], handlings: [handled('m1'), handled('m1', { startMs: 300, endMs: 310 })] }],
    [
      'repeated',
      {
        sends: [sent('m1')],
        handlings: [handled('m1'), handled('m1', { startMs: 300, endMs: 310 })],
        disturbances: [{ kind: 'refused streams', fromMs: 0, untilMs: 1_000, only: 'not sent', processes: undefined }],
      },
    ],
    [
      'repeated',
      {
        sends: [sent('m1')],
        handlings: [handled('m1'), handled('m1', { startMs: 300, endMs: 310 })],
        disturbances: [{ kind: 'members', fromMs: 301, untilMs: 400, only: 'divided anew', processes: undefined }],
      },
    ],
    [
      'handled while paused',
      {
        sends: [sent('m1')],
        handlings: [handled('m1', { startMs: 40_000, endMs: 40_010 })],
        pauses: [{ group: 'readers', fromMs: 5_000, untilMs: 60_000 }],
      },
    ],
    [
      'out of order',
      {
        sends: [sent('m1', { messageGroup: 'g' }), sent('m2', { messageGroup: 'g', atMs: 120, endMs: 130 })],
        handlings: [handled('m1', { startMs: 200, endMs: 300 }), handled('m2', { startMs: 250, endMs: 260 })],
      },
    ],
    [
      'out of order',
      {
        sends: [sent('m1', { messageGroup: 'g' }), sent('m2', { messageGroup: 'g' })],
        handlings: [handled('m2'), handled('m1', { startMs: 220, endMs: 230 })],
      },
    ],
    [
      'unexplained',
      {
        sends: [
          sent('m1', { messageGroup: 'g', timeoutMs: 10, outcome: 'unknown', error: 'DEADLINE' }),
          sent('m2', { messageGroup: 'h', outcome: 'not-sent', error: 'EARLIER_MESSAGE_FAILED' }),
        ],
      },
    ],
    ['died too early', { sends: [sent('m1')], dead: [{ key: 'm1', group: 'readers' }] }],
    [
      'died too early',
      { sends: [sent('m1')], handlings: [handled('m1', { end: 'failed' })], dead: [{ key: 'm1', group: 'readers' }] },
    ],
    ['undecided', { halves: ['t1'] }],
    ['missing', { transactions: [transacted()], resolutions: new Map([['id', 'commit']]) }],
    ['unfounded', { transactions: [transacted()], handlings: [handled('t1')] }],
    ['fenced', { transactions: [transacted({ error: 'TRANSACTION_FENCED' })] }],
    ['unseen', { sends: [sent('m1')], handlings: [handled('m1', { attempt: 2 })] }],
    [
      'stale',
      {
        sends: [sent('m1')],
        // Another process has got it meanwhile, and a disturbance is no reason to handle it.
        handlings: [handled('m1', { attempt: 2, startMs: 11_000 }), handled('m1', { process: 'a', startMs: 30_000 })],
        disturbances: [{ kind: 'paused process', fromMs: 150, untilMs: 30_000, processes: ['a'] }],
        releases: [{ fromMs: 0, untilMs: 100_000 }],
      },
    ],
    ['reconnected', { connections: [1, 2].map((atMs) => ({ process: 'a', atMs })) }],
    [
      'overdue',
      { sends: [sent('m1', { timeoutMs: 1_000, endMs: 2_000, outcome: 'acknowledged' })], handlings: [handled('m1')] },
    ],
    ['altered', { handlings: [handled('m1', { isAltered: true })] }],
    [
      'not started',
      {
        failedStarts: [{ process: 'a', fromMs: 0, atMs: 5, error: 'no such group' }],
        disturbances: [{ kind: 'client crash', fromMs: 5, untilMs: 10, processes: undefined }],
      },
    ],
    ['slow close', { closes: [{ process: 'a', atMs: 0, tookMs: 11, limitMs: 10 }] }],
    ['left behind', { leaks: ['a timer'] }],
    ['nobody caught', { uncaught: ['an error'] }],
    ['never ended', { hanging: ['a close'] }],
  ])('see what is %s: %j', (kind, facts) => {
    expect(kinds(facts)).toEqual([kind]);
  });

  it('find that more bytes are decompressed than allowed', () => {
    expect(violationsOf({ ...NOTHING, peakUnpackedBytes: 101 })).toHaveLength(1);
  });

  it.each<[string, Partial<Facts>]>([
    [
      'a send that was cut off',
      { sends: [sent('m1', { outcome: 'unknown', error: 'broken' })], disturbances: [met('a', 50, 105)] },
    ],
    [
      'a delivery before the polls of a paused group are rejected, and one when it is resumed',
      {
        sends: [sent('m1'), sent('m2')],
        handlings: [
          handled('m1', { startMs: 30_000, endMs: 30_010 }),
          handled('m2', { startMs: 60_000, endMs: 60_010 }),
        ],
        pauses: [{ group: 'readers', fromMs: 5_000, untilMs: 60_000 }],
      },
    ],
    [
      'a send with little time',
      { sends: [sent('m1', { outcome: 'unknown', timeoutMs: 10, error: 'DEADLINE_EXCEEDED' })] },
    ],
    [
      'a delivery after a lost ack',
      {
        sends: [sent('m1')],
        handlings: [handled('m1'), handled('m1', { startMs: 300, endMs: 310 })],
        disturbances: [met('b', 205, 215)],
      },
    ],
    [
      'the rest of an ordered queue after a failure',
      {
        sends: [sent('m1', { messageGroup: 'g' })],
        handlings: [
          handled('m0', { end: 'failed' }),
          handled('m1', { attempt: 1 }),
          handled('m1', { attempt: 2, startMs: 300, endMs: 310 }),
        ],
      },
    ],
    [
      'an ack that is rejected until the shutdown of its service gives it up',
      {
        sends: [sent('m1')],
        handlings: [handled('m1'), handled('m1', { startMs: 300, endMs: 310 })],
        disturbances: [{ kind: 'refused streams', fromMs: 0, untilMs: 1_000, only: 'not sent', processes: undefined }],
        releases: [{ fromMs: 50, untilMs: 250 }],
      },
    ],
    [
      'a delivery of a queue that went to another owner since',
      {
        sends: [sent('m1')],
        handlings: [handled('m1'), handled('m1', { startMs: 300, endMs: 310 })],
        disturbances: [{ kind: 'members', fromMs: 250, untilMs: 260, only: 'divided anew', processes: undefined }],
      },
    ],
    [
      'a delivery that was released',
      {
        sends: [sent('m1')],
        handlings: [handled('m1', { attempt: 2 })],
        releases: [{ fromMs: 50, untilMs: 150 }],
      },
    ],
    [
      'a poll that brought more than fits, now and then',
      {
        sends: [sent('m1')],
        handlings: [
          handled('m1', { attempt: 2 }),
          ...Array.from({ length: 20 }, (_, index) => handled(`other${index}`)),
        ],
        isTight: true,
      },
    ],
    [
      'a dead letter after all attempts',
      {
        sends: [sent('m1')],
        handlings: [1, 2].map((attempt) => handled('m1', { attempt, end: 'failed', startMs: attempt * 100 })),
        dead: [{ key: 'm1', group: 'readers' }],
      },
    ],
    [
      'what a broker forgot that does not wait for its disk',
      { sends: [sent('m1')], forgotten: [{ fromMs: 105, untilMs: 120 }] },
    ],
    [
      'a fence where clocks are wrong',
      {
        transactions: [transacted({ error: 'TRANSACTION_FENCED' })],
        disturbances: [{ kind: 'clock step', fromMs: 0, untilMs: 1_000, processes: undefined, only: 'fenced' }],
      },
    ],
    [
      'a new connection where there is a reason for one',
      { connections: [1, 3].map((atMs) => ({ process: 'a', atMs })), renewals: [{ process: 'a', atMs: 2 }] },
    ],
    [
      'a send that waited for its broker until little time was left',
      {
        sends: [sent('m1', { outcome: 'unknown', endMs: 10_100, error: 'send did not finish within 47 ms' })],
        disturbances: [
          { kind: 'lost registration', fromMs: 0, untilMs: 9_000, processes: undefined, only: 'not sent' as const },
        ],
      },
    ],
    [
      'a start without a server',
      {
        failedStarts: [{ process: 'a', fromMs: 10, atMs: 15, error: 'no server can be reached' }],
        disturbances: [met('a', 0, 20)],
      },
    ],
    ['a transaction that failed', { transactions: [transacted({ error: 'out of stock' })] }],
    [
      'a new connection after a broken one',
      { connections: [1, 2].map((atMs) => ({ process: 'a', atMs })), disturbances: [met('a', 1, 2)] },
    ],
  ])('understand %s', (_, facts) => {
    expect(kinds(facts)).toEqual([]);
  });
});
