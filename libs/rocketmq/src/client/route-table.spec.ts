import { beforeEach, describe, expect, it } from '@jest/globals';
import { recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { Code } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../protocol/grpc/status.js';
import { SystemClock } from '../support/clock.js';
import { commandLine } from '../support/command-line.js';
import { withDeadline } from '../support/deadline.js';
import { systemRandom } from '../support/random.js';
import type { Route } from './route.js';
import { type RouteOptions, RouteTable } from './route-table.js';

const ROUTE: Route = { topic: 'orders', queues: [], types: ['normal'], layout: [] };
const DENIAL = new StatusError('route of topic "orders"', { code: Code.TOPIC_NOT_FOUND, message: 'no route' });
const policy = { kind: 'exponential', initialMs: 1, maxMs: 1, multiplier: 1 } as const;

describe('the route of a topic that the server does not know', () => {
  let logger: ReturnType<typeof recordingLogger>;
  let questions: number;

  beforeEach(() => {
    logger = recordingLogger();
    questions = 0;
  });

  /** @param denials how often the server denies the topic */
  function get(denials: number, options: RouteOptions, { timeoutMs = 60_000, mayDeny = true } = {}): Promise<Route> {
    const table = new RouteTable({
      pace: { clock: new SystemClock(), random: systemRandom, policy },
      connection: { logger, command: commandLine },
      mayDenyNewTopics: () => mayDeny,
      fetch: async () => {
        if (questions++ < denials) throw DENIAL;
        return ROUTE;
      },
    });
    return withDeadline('start', timeoutMs, undefined, (deadline) => table.get('orders', deadline, options));
  }

  it('is an error immediately, which says that a server may report a new topic as missing', async () => {
    const rejected = get(1, { type: 'delay' });
    await expect(rejected).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
      outcome: 'rejected',
      command: expect.stringContaining('topic create orders --type delay'),
      message: expect.stringContaining('reports it as missing for 20 s, and once more after that'),
    });
    expect({ questions, lines: logger.lines }).toEqual({ questions: 1, lines: [] });
  });

  it('is waited for if configured, and one warning says for which topic, why, and what to do', async () => {
    await expect(get(3, { type: 'normal', waitForTopic: true })).resolves.toBe(ROUTE);
    expect(questions).toBe(4);
    expect(logger.lines).toEqual([
      [
        expect.stringMatching(
          /^warn the server does not know topic "orders"; waiting for it, because .* about 20 s after/,
        ),
        {
          topic: 'orders',
          waitMs: expect.any(Number),
          ifItDoesNotExist: expect.stringContaining('topic create orders --type normal'),
        },
      ],
    ]);
  });

  it('is the same error when the wait times out', async () => {
    const rejected = get(Number.POSITIVE_INFINITY, { waitForTopic: true }, { timeoutMs: 50 });
    await expect(rejected).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND', outcome: 'rejected' });
    expect(logger.lines).toHaveLength(1);
  });

  it('is not waited for on a server that knows new topics immediately', async () => {
    const rejected = get(1, { waitForTopic: true }, { mayDeny: false });
    await expect(rejected).rejects.toMatchObject({
      code: 'TOPIC_NOT_FOUND',
      message: expect.not.stringContaining('created a moment ago'),
    });
    expect({ questions, lines: logger.lines }).toEqual({ questions: 1, lines: [] });
  });
});

describe('a route that says what a proxy chooses at present', () => {
  function tableOf(fetch: () => Promise<Route>): RouteTable {
    const pace = { clock: new SystemClock(), random: systemRandom, policy };
    return new RouteTable({
      pace,
      connection: { logger: recordingLogger(), command: commandLine },
      mayDenyNewTopics: () => false,
      fetch,
    });
  }
  const fresh = (table: RouteTable, timeoutMs = 60_000): Promise<Route> =>
    withDeadline('send', timeoutMs, undefined, (deadline) => table.fresh('orders', deadline));

  it('is the second answer, because the first one makes the proxy renew what it knows; others share it', async () => {
    let questions = 0;
    const table = tableOf(async () => ({ ...ROUTE, queues: [], types: [], topic: `answer ${++questions}` }));
    const found = await Promise.all([fresh(table), fresh(table), fresh(table)]);
    expect(found.map(({ topic }) => topic)).toEqual(['answer 2', 'answer 2', 'answer 2']);
    expect((await fresh(table)).topic).toBe('answer 2');
  });

  it('that does not come in time has no effect', async () => {
    const table = tableOf(() => new Promise(() => {}));
    const late = { code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' };
    await expect(fresh(table, 20)).rejects.toMatchObject(late);
    const quick = tableOf(async () => ROUTE);
    await expect(fresh(quick, 20)).rejects.toMatchObject(late);
  });
});
