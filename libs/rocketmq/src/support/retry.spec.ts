import { describe, expect, it } from '@jest/globals';
import { SystemClock } from './clock.js';
import { Deadline } from './deadline.js';
import { TransportError, UsageError } from './errors.js';
import { systemRandom } from './random.js';
import { retryUntil } from './retry.js';

const pace = {
  clock: new SystemClock(),
  random: systemRandom,
  policy: { kind: 'exponential', initialMs: 1, maxMs: 1, multiplier: 1 },
} as const;
const away = () => new TransportError('UNAVAILABLE', 'away', 'not-sent', true);

async function within<T>(timeoutMs: number, work: (deadline: Deadline) => Promise<T>, outer?: AbortSignal): Promise<T> {
  const deadline = new Deadline('work', timeoutMs, outer);
  try {
    return await work(deadline);
  } finally {
    deadline.dispose();
  }
}

/** The second attempt begins after a millisecond, and lasts until the deadline: also while the machine is busy. */
const SHORT_MS = 500;

describe('retryUntil', () => {
  it('retries a retryable failure until it succeeds', async () => {
    let attempts = 0;
    const attempt = async () => {
      if (++attempts < 3) throw away();
      return attempts;
    };
    expect(await within(30_000, (deadline) => retryUntil(deadline, pace, attempt))).toBe(3);
  });

  it('gives up immediately on an error that is not retryable', async () => {
    const wrong = new UsageError('ILLEGAL_TOPIC', 'wrong');
    const work = within(30_000, (deadline) => retryUntil(deadline, pace, () => Promise.reject(wrong)));
    await expect(work).rejects.toBe(wrong);
  });

  it('throws the earlier failure rather than the timeout when the deadline passes', async () => {
    let attempts = 0;
    const work = within(SHORT_MS, (deadline) =>
      retryUntil(deadline, pace, () => {
        if (++attempts === 1) return Promise.reject(away());
        return new Promise<never>((_, reject) => {
          deadline.signal.addEventListener('abort', () => reject(deadline.signal.reason), { once: true });
        });
      }),
    );
    await expect(work).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(attempts).toBe(2);
  });

  it('throws the timeout when the attempt that it aborted may have taken effect', async () => {
    let attempts = 0;
    const work = within(SHORT_MS, (deadline) => {
      const attempt = (): Promise<never> => {
        if (++attempts === 1) return Promise.reject(away());
        return new Promise((_, reject) => {
          deadline.signal.addEventListener('abort', () => reject(deadline.signal.reason), { once: true });
        });
      };
      return retryUntil(deadline, pace, attempt, ({ outcome }) => outcome !== 'unknown');
    });
    await expect(work).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'unknown' });
  });

  it('throws the reason of a caller that aborts between two attempts', async () => {
    const caller = new AbortController();
    const attempt = () => {
      setImmediate(() => caller.abort(new Error('gave up')));
      return Promise.reject(away());
    };
    const slow = { ...pace, policy: { ...pace.policy, initialMs: 10_000, maxMs: 10_000 } };
    const work = within(60_000, (deadline) => retryUntil(deadline, slow, attempt), caller.signal);
    await expect(work).rejects.toThrow('gave up');
  });
});
