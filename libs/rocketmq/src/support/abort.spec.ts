import { describe, expect, it } from '@jest/globals';
import { raceAbort, withAnySignal } from './abort.js';

const never = new Promise<never>(() => {});

describe('several signals combined', () => {
  it('end the work with the reason of the first that aborts', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const work = withAnySignal([first.signal, undefined, second.signal], (signal) => raceAbort(never, signal));
    second.abort(new Error('second'));
    first.abort(new Error('first'));
    await expect(work).rejects.toThrow('second');
  });

  it('include a signal that had aborted before', async () => {
    const aborted = AbortSignal.abort(new Error('long ago'));
    await expect(withAnySignal([aborted], (signal) => raceAbort(never, signal))).rejects.toThrow('long ago');
  });

  it('return the result of work that is not aborted', async () => {
    expect(await withAnySignal([new AbortController().signal], async () => 7)).toBe(7);
  });
});
