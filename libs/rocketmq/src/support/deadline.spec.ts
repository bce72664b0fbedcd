import { describe, expect, it } from '@jest/globals';
import { raceAbort } from './abort.js';
import { Deadline, withDeadline, withNotedEffects } from './deadline.js';
import { TransportError } from './errors.js';

const never = new Promise<never>(() => {});

describe('a deadline', () => {
  it('aborts the work with an error that names it and whose outcome is unknown', async () => {
    const work = withDeadline('send to "orders"', 5, undefined, ({ signal }) => raceAbort(never, signal));
    await expect(work).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      outcome: 'unknown',
      message: expect.stringContaining('send to "orders" did not finish within 5 ms'),
    });
  });

  it.each([
    ['before it noted an effect', false, 'not-sent', 'nothing took effect'],
    ['after it noted an effect', true, 'unknown', 'it may have taken effect'],
  ])('says of work that notes its effects, %s, what is true', async (_, isNoted, outcome, text) => {
    const work = withNotedEffects('creation', 1_000, undefined, (deadline) =>
      deadline.part(5, async (part) => {
        if (isNoted) part.noteEffect();
        await raceAbort(never, part.signal);
      }),
    );
    await expect(work).rejects.toMatchObject({ outcome, message: expect.stringContaining(text) });
  });

  it('does not change what the caller aborts with', async () => {
    const reason = new TransportError('UNAVAILABLE', 'lost', 'unknown', true);
    const work = withNotedEffects('read', 1_000, AbortSignal.abort(reason), ({ signal }) => raceAbort(never, signal));
    await expect(work).rejects.toBe(reason);
    expect(reason.outcome).toBe('unknown');
  });

  it('aborts immediately with the reason of a caller that had aborted before', async () => {
    const aborted = AbortSignal.abort(new Error('changed my mind'));
    const deadline = new Deadline('send', 60_000, aborted);
    expect(deadline.signal.reason).toBe(aborted.reason);
    expect(deadline.hasPassed).toBe(false);
    deadline.dispose();
  });

  it('leaves a call that is a part of the work a timeout that is valid, also when no time is left', async () => {
    const deadline = new Deadline('plan', 1);
    await expect(raceAbort(never, deadline.signal)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(deadline.callOptions()).toEqual({ timeoutMs: 1, signal: deadline.signal });
    deadline.dispose();
  });

  it('does not pass early when it is later than Node timers support', async () => {
    const result = withDeadline('long work', 2 ** 40, undefined, async (deadline) => {
      await new Promise((resolve) => setImmediate(() => setTimeout(resolve, 5)));
      return [deadline.signal.aborted, deadline.remainingMs() > 2 ** 39];
    });
    expect(await result).toEqual([false, true]);
  });
});
