import { describe, expect, it } from '@jest/globals';
import { Code, Message } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { fromWireMessage } from '../../protocol/grpc/message-mapping.js';
import { StatusError } from '../../protocol/grpc/status.js';
import { SystemClock } from '../../support/clock.js';
import { TransportError } from '../../support/errors.js';
import { silentLogger } from '../../support/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import { systemRandom } from '../../support/random.js';
import type { LeaseSettlement } from './lease-settlement.js';
import { MessageLease } from './message-lease.js';
import type { Receipt } from './receipt-calls.js';
import { SharedTimers } from './shared-timers.js';

const LEASE_MS = 30_000;
const { signal } = new AbortController();
const voidHandle = (): Error => new StatusError('change', { code: Code.INVALID_RECEIPT_HANDLE, message: 'expired' });
const lostAnswer = (): Error => new TransportError('UNAVAILABLE', 'connection dropped', 'unknown', true);
const notSent = (): Error => new TransportError('UNAVAILABLE', 'connection refused', 'not-sent', true);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A lease whose requests are recorded and answered by a script; an unscripted request succeeds. */
function held(script: (() => Error | undefined | Promise<undefined>)[] = []) {
  const clock = new ManualClock(0);
  const requests: string[] = [];
  const answer = async (request: string): Promise<void> => {
    requests.push(request);
    const error = await script.shift()?.();
    if (error !== undefined) throw error;
  };
  const calls = {
    ack: ({ handle }: Receipt, onEnd: (error: unknown) => void) =>
      void answer(`ack ${handle}`).then(() => onEnd(undefined), onEnd),
    changeInvisibleDuration: async ({ handle }: Receipt, { invisibleDurationMs }: { invisibleDurationMs: number }) => {
      await answer(`change ${handle} ${invisibleDurationMs}`);
      return `${handle}+`;
    },
    forwardToDeadLetterQueue: ({ handle }: Receipt) => answer(`forward ${handle}`),
  };
  const message = fromWireMessage(
    Message.fromPartial({ topic: { name: 'orders' }, systemProperties: { messageId: 'id-1', receiptHandle: 'h' } }),
  );
  const port = {
    clock,
    timers: new SharedTimers(clock),
    ioClock: new SystemClock(),
    random: systemRandom,
    logger: silentLogger,
    calls,
    invisibleDurationMs: LEASE_MS,
  };
  const endpoint = { addresses: [{ host: '127.0.0.1', port: 1 }] };
  const lease = new MessageLease(port, {
    message,
    bodyProblem: undefined,
    isPacked: false,
    endpoint,
    heldBytes: 0,
    leasedAtMs: 0,
  });
  const advance = async (byMs: number): Promise<void> => {
    clock.advanceTo(clock.nowMs() + byMs);
    await turn();
  };
  return { lease, requests, clock, advance };
}

const ack: LeaseSettlement = { kind: 'ack' };

describe('the lease of a message', () => {
  it('is renewed at half of its time, each time with the newest handle', async () => {
    const { lease, requests, advance } = held();
    await advance(LEASE_MS / 2 - 1);
    expect(requests).toEqual([]);
    await advance(1);
    await advance(LEASE_MS / 2);
    expect(requests).toEqual(['change h 30000', 'change h+ 30000']);
    expect(await lease.settle(ack, signal)).toBeUndefined();
    expect(requests.at(-1)).toBe('ack h++');
  });

  it('is neither renewed nor settled again after its settlement', async () => {
    const { lease, requests, clock, advance } = held();
    await lease.settle(ack, signal);
    expect(clock.nextDueAtMs()).toBeUndefined();
    await advance(10 * LEASE_MS);
    expect(await lease.settle(ack, signal)).toMatchObject({ code: 'LEASE_LOST' });
    expect(requests).toEqual(['ack h']);
  });

  it('is lost when the server answers that its handle is void', async () => {
    const { lease, requests, advance } = held([voidHandle]);
    await advance(LEASE_MS / 2);
    expect(lease.lostSignal.aborted).toBe(true);
    expect(await lease.settle(ack, signal)).toMatchObject({ code: 'LEASE_LOST' });
    expect(requests).toHaveLength(1);
  });

  it('starts no handler after its end in a process that was blocked, whose timers have not run yet', () => {
    const { lease, clock } = held();
    expect(lease.isInDoubt).toBe(false);
    clock.monotonicMs = () => LEASE_MS;
    expect(lease.isInDoubt).toBe(true);
  });

  it('is in doubt when the answer to a renewal was lost: no further renewal, and lost at its end', async () => {
    const { lease, requests, advance } = held([lostAnswer]);
    await advance(LEASE_MS / 2);
    expect([lease.doubtSignal.aborted, lease.lostSignal.aborted]).toEqual([true, false]);
    await advance(LEASE_MS / 2 - 1);
    expect(lease.lostSignal.aborted).toBe(false);
    await advance(1);
    expect(lease.lostSignal.aborted).toBe(true);
    expect(requests).toHaveLength(1);
  });

  it('in doubt accepts an ack, and reports that its effect is unknown', async () => {
    const { lease, requests, advance } = held([lostAnswer]);
    await advance(LEASE_MS / 2);
    expect(await lease.settle(ack, signal)).toMatchObject({ code: 'LEASE_UNCERTAIN' });
    expect(requests.at(-1)).toBe('ack h');
  });

  it('in doubt is no longer changed, since that could revive the message', async () => {
    const { lease, requests, advance } = held([lostAnswer]);
    await advance(LEASE_MS / 2);
    const retry: LeaseSettlement = { kind: 'postpone', invisibleDurationMs: 1_000, suspend: false };
    expect(await lease.settle(retry, signal)).toMatchObject({ code: 'LEASE_UNCERTAIN' });
    expect(requests).toHaveLength(1);
  });

  it('is renewed again soon after a renewal that was not sent', async () => {
    const { lease, requests, advance } = held([notSent]);
    await advance(LEASE_MS / 2);
    await advance(LEASE_MS / 8);
    expect(requests).toEqual(['change h 30000', 'change h 30000']);
    expect(lease.doubtSignal.aborted).toBe(false);
    lease.drop();
  });

  it('is lost at its end when no renewal could be sent', async () => {
    const { lease, requests, advance } = held(new Array(100).fill(notSent));
    for (let steps = 0; steps < 60; steps++) await advance(LEASE_MS / 60);
    await advance(LEASE_MS / 60);
    expect(lease.lostSignal.aborted).toBe(true);
    expect(requests.length).toBeGreaterThan(3);
  });

  it('is settled only after an open renewal has ended, with its new handle', async () => {
    let finish: (value: undefined) => void = () => {};
    const slow = new Promise<undefined>((resolve) => {
      finish = resolve;
    });
    const { lease, requests, advance } = held([() => slow]);
    await advance(LEASE_MS / 2);
    const settled = lease.settle(ack, signal);
    await turn();
    expect(requests).toEqual(['change h 30000']);
    finish(undefined);
    expect(await settled).toBeUndefined();
    expect(requests).toEqual(['change h 30000', 'ack h+']);
  });

  it('repeats an ack whose answer was lost', async () => {
    const { lease, requests } = held([lostAnswer, lostAnswer]);
    expect(await lease.settle(ack, signal)).toBeUndefined();
    expect(requests).toEqual(['ack h', 'ack h', 'ack h']);
  });

  it('repeats an ack only until its end', async () => {
    const { lease, requests, clock } = held([
      lostAnswer,
      () => {
        clock.advanceTo(LEASE_MS);
        return lostAnswer();
      },
    ]);
    expect(await lease.settle(ack, signal)).toMatchObject({ code: 'UNAVAILABLE' });
    expect(requests).toEqual(['ack h', 'ack h']);
  });

  it('does not repeat a change or a forward whose answer was lost', async () => {
    for (const settlement of [
      { kind: 'postpone', invisibleDurationMs: 1_000, suspend: false },
      { kind: 'deadLetter', attempt: 1, maxAttempts: 3 },
    ] as const) {
      const { lease, requests } = held([lostAnswer]);
      expect(await lease.settle(settlement, signal)).toMatchObject({ code: 'UNAVAILABLE' });
      expect(requests).toHaveLength(1);
    }
  });

  it('repeats a change that was not sent, but not a release: closing a consumer does not wait for a server', async () => {
    for (const [kind, requests] of [
      ['postpone', 2],
      ['release', 1],
    ] as const) {
      const one = held([notSent]);
      await one.lease.settle({ kind, invisibleDurationMs: 0, suspend: true }, signal);
      expect(one.requests).toHaveLength(requests);
    }
  });

  it('does not repeat an ack by a void handle', async () => {
    const { lease, requests } = held([voidHandle]);
    expect(await lease.settle(ack, signal)).toMatchObject({ code: 'INVALID_RECEIPT_HANDLE' });
    expect(requests).toHaveLength(1);
  });

  it('is over for a settlement after its end, although its timer has not fired yet', async () => {
    const { lease, requests, clock } = held();
    // A handler that blocks the event loop keeps the timers from running.
    Object.assign(clock, { monotonicMs: () => LEASE_MS });
    expect(await lease.settle(ack, signal)).toMatchObject({ code: 'LEASE_LOST' });
    expect(lease.lostSignal.aborted).toBe(true);
    expect(requests).toEqual([]);
  });

  it('keeps a moved clock waiting during a settlement and a renewal', async () => {
    const labels: string[][] = [];
    const { lease, clock, advance } = held([
      () => {
        labels.push(clock.activeWork());
        return undefined;
      },
      () => {
        labels.push(clock.activeWork());
        return undefined;
      },
    ]);
    await advance(LEASE_MS / 2);
    await lease.settle(ack, signal);
    expect(labels).toEqual([['lease renewal of message id-1 from "orders"'], ['ack of message id-1 from "orders"']]);
    expect(clock.activeWork()).toEqual([]);
  });
});
