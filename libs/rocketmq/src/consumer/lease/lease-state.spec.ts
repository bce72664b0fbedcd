import { describe, expect, it } from '@jest/globals';
import { type LeaseEvent, type LeaseState, nextLeaseState } from './lease-state.js';

const held: LeaseState = { kind: 'held', handle: 'h1', endsAtMs: 30 };
const after = (state: LeaseState, ...events: LeaseEvent['kind'][]): LeaseState =>
  events.reduce(
    (before, kind) => nextLeaseState(before, { kind, handle: 'h2', endsAtMs: 60 } as unknown as LeaseEvent),
    state,
  );

describe('the state of a lease', () => {
  it('adopts the new handle and the new end of a renewal', () => {
    expect(after(held, 'renewalBegun', 'renewed')).toEqual({ kind: 'held', handle: 'h2', endsAtMs: 60 });
  });

  it('begins no settlement while a renewal is open', () => {
    const renewing = after(held, 'renewalBegun');
    expect(after(renewing, 'settlementBegun')).toEqual(renewing);
  });

  it('begins neither a renewal nor a second settlement while one is open', () => {
    const settling = after(held, 'settlementBegun');
    expect(after(settling, 'renewalBegun')).toEqual(settling);
    expect(after(settling, 'settlementBegun')).toEqual(settling);
  });

  it('keeps the handle when a renewal did not take effect', () => {
    expect(after(held, 'renewalBegun', 'renewalNotDone')).toEqual(held);
  });

  it('does not renew again with a handle whose renewal was not answered', () => {
    const uncertain = after(held, 'renewalBegun', 'renewalUnanswered');
    expect(uncertain).toEqual({ kind: 'uncertain', handle: 'h1', endsAtMs: 30 });
    expect(after(uncertain, 'renewalBegun')).toEqual(uncertain);
    expect(after(uncertain, 'timeOver')).toEqual({ kind: 'ended', how: 'lost' });
  });

  it('records whether the handle of a settlement is certain', () => {
    expect(after(held, 'settlementBegun')).toMatchObject({ isCertain: true });
    expect(after(held, 'renewalBegun', 'renewalUnanswered', 'settlementBegun')).toMatchObject({ isCertain: false });
  });

  it('lets the answer of an open renewal decide whether the lease outlives its old end', () => {
    expect(after(held, 'renewalBegun', 'timeOver', 'renewed')).toMatchObject({ kind: 'held', endsAtMs: 60 });
    expect(after(held, 'renewalBegun', 'timeOver', 'renewalRefused')).toEqual({ kind: 'ended', how: 'lost' });
  });

  it('never leaves its final state', () => {
    const kinds: LeaseEvent['kind'][] = [
      'renewalBegun',
      'renewed',
      'settlementBegun',
      'settled',
      'timeOver',
      'dropped',
    ];
    for (const how of ['settled', 'lost', 'dropped'] as const) {
      const ended: LeaseState = { kind: 'ended', how };
      for (const kind of kinds) expect(after(ended, kind)).toEqual(ended);
    }
  });
});
