// The marks of the console at dead letters that were replayed: at once by its own replay, whose copy an index may not know yet.

import { describe, expect } from '@jest/globals';
import type { Json } from '../fixtures/console-bench.js';
import { ConsoleCore } from '../fixtures/console-core.js';
import { contractSuite } from './support/contract.js';
import { buried } from './support/dead-letters.js';

const contract = contractSuite();

describe('the console', () => {
  contract('marks the dead letters that were replayed, also those that others have replayed', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 1 });
    await buried(
      world,
      consumerGroup,
      ['own', 'other', 'none'].map((body) => ({ topic, body })),
    );
    const admin = world.admin();
    const path = `/api/groups/${consumerGroup}/dead-letters`;
    const lettersOf = async (core: ConsoleCore): Promise<Json[]> => (await core.ask(path)).deadLetters;
    const marksOf = async (core: ConsoleCore): Promise<Json> =>
      Object.fromEntries((await lettersOf(core)).map(({ body, replay }) => [body.text, replay?.kind]));
    const [core, another] = [new ConsoleCore({ admin }), new ConsoleCore({ admin, monotonicMs: jumping() })];
    try {
      const not = 'not-replayed';
      for (const one of [core, another]) expect(await marksOf(one)).toEqual({ own: not, other: not, none: not });
      const own = (await lettersOf(core)).find(({ body }) => body.text === 'own');
      await core.change({ action: 'replay', consumerGroup, positions: [own.position] });
      expect(await marksOf(core)).toEqual({ own: 'replayed', other: not, none: not });
      await admin.replayDeadLetters(consumerGroup, { select: ({ body }) => body.toString() === 'other' });
      await world.until('the index knows both', async () => {
        const marks = await marksOf(another);
        return marks.own === 'replayed' && marks.other === 'replayed' && marks.none === not;
      });
    } finally {
      core.close();
      another.close();
    }
  });
});

/** A clock for which nothing that was asked is fresh. */
function jumping(): () => number {
  let nowMs = 0;
  return () => {
    nowMs += 60_000;
    return nowMs;
  };
}
