// What the client makes of a move of time that takes several requests.

import { describe, expect, it } from '@jest/globals';
import { AdvanceInterruptedError, ControlClient, ControlError } from './control-client.js';
import type { AdvancedTime } from './control-views.js';

const MINUTE_MS = 60_000;

/** A broker that moves its time by half of the way in the first request; the next one is answered as the spec says. */
function halfway(next: () => AdvancedTime): { readonly control: ControlClient; readonly bodies: unknown[] } {
  const bodies: unknown[] = [];
  const inside = async (_: unknown, body: Buffer | undefined): Promise<Buffer> => {
    const first = {
      nowMs: 50 * MINUTE_MS,
      offsetMs: 50 * MINUTE_MS,
      targetMs: 100 * MINUTE_MS,
      passed: 3,
      done: false,
    };
    bodies.push(JSON.parse(String(body)));
    return Buffer.from(JSON.stringify(bodies.length === 1 ? first : next()));
  };
  return { control: new ControlClient({ endpoint: 'http://127.0.0.1:1' }, inside), bodies };
}

describe('a move of time in several requests', () => {
  it('goes on with what is left, and adds up what was passed', async () => {
    const last = {
      nowMs: 100 * MINUTE_MS,
      offsetMs: 100 * MINUTE_MS,
      targetMs: 100 * MINUTE_MS,
      passed: 2,
      done: true,
    };
    const { control, bodies } = halfway(() => last);
    const moved = await control.advanceTime({ byMs: 100 * MINUTE_MS, duringWork: true });
    expect(moved).toEqual({ ...last, passed: 5 });
    expect(bodies).toEqual([
      { byMs: 100 * MINUTE_MS, duringWork: true },
      { byMs: 50 * MINUTE_MS, duringWork: true },
    ]);
  });

  it.each([
    ['another request moves the time meanwhile', 'TIME_MOVING'],
    ['a consumer holds a message', 'NOT_QUIET'],
  ])('says how far it came when %s', async (_, code) => {
    const { control } = halfway(() => {
      throw new ControlError(code, 'nothing was changed', 409);
    });
    const failed = await control.advanceTime({ byMs: 100 * MINUTE_MS }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(AdvanceInterruptedError);
    // Repeating it would move the time too far.
    expect(failed).toMatchObject({
      code: 'ADVANCE_INTERRUPTED',
      outcome: 'unknown',
      retryable: false,
      message: expect.stringContaining('moved to 1970-01-01T00:50:00.000Z, not to 1970-01-01T01:40:00.000Z'),
      done: { nowMs: 50 * MINUTE_MS, passed: 3 },
      cause: { code },
    });
  });
});
