import { describe, expect, it } from '@jest/globals';
import { raceAbort } from './abort.js';
import { Deadline, withDeadline } from './deadline.js';

const never = new Promise<never>(() => {});

describe('a deadline', () => {
  it('ends the work with an error that names it and leaves its effect open', async () => {
    const work = withDeadline('send to "orders"', 5, undefined, ({ signal }) => raceAbort(never, signal));
    await expect(work).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      outcome: 'unknown',
      message: expect.stringContaining('send to "orders" did not end within 5 ms'),
    });
  });

  it('ends at once when the caller had aborted before, with the reason given', async () => {
    const aborted = AbortSignal.abort(new Error('changed my mind'));
    const deadline = new Deadline('send', 60_000, aborted);
    expect(deadline.signal.reason).toBe(aborted.reason);
    expect(deadline.hasPassed).toBe(false);
    deadline.dispose();
  });

  it('further away than the timers of Node reach is still ahead', async () => {
    const result = withDeadline('long work', 2 ** 40, undefined, async (deadline) => {
      await new Promise((resolve) => setImmediate(() => setTimeout(resolve, 5)));
      return [deadline.signal.aborted, deadline.remainingMs() > 2 ** 39];
    });
    expect(await result).toEqual([false, true]);
  });
});
