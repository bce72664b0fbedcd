import { describe, expect, it } from '@jest/globals';
import { type LeaseEvent, type LeaseState, nextLeaseState } from './lease-state.js';

const held: LeaseState = { kind: 'held', handle: 'h1', endsAtMs: 30 };
const stateAfter = (state: LeaseState, ...events: LeaseEvent['kind'][]): LeaseState =>
  events.reduce(
    (before, kind) => nextLeaseState(before, { kind, handle: 'h2', endsAtMs: 60 } as unknown as LeaseEvent),
    state,
  );

describe('the state of a lease', () => {
  it('adopts the new handle and the new end of a renewal', () => {
    expect(stateAfter(held, 'renewalBegun', 'renewed')).toEqual({ kind: 'held', handle: 'h2', endsAtMs: 60 });
  });

  it('begins no settlement while a renewal is open', () => {
    const renewing = stateAfter(held, 'renewalBegun');
    expect(stateAfter(renewing, 'settlementBegun')).toEqual(renewing);
  });

  it('begins neither a renewal nor a second settlement while one is open', () => {
    const settling = stateAfter(held, 'settlementBegun');
    expect(stateAfter(settling, 'renewalBegun')).toEqual(settling);
    expect(stateAfter(settling, 'settlementBegun')).toEqual(settling);
  });

  it('keeps the handle when a renewal did not take effect', () => {
    expect(stateAfter(held, 'renewalBegun', 'renewalNotDone')).toEqual(held);
  });

  it('does not renew again with a handle whose renewal was not answered', () => {
    const uncertain = stateAfter(held, 'renewalBegun', 'renewalUnanswered');
    expect(uncertain).toEqual({ kind: 'uncertain', handle: 'h1', endsAtMs: 30 });
    expect(stateAfter(uncertain, 'renewalBegun')).toEqual(uncertain);
    expect(stateAfter(uncertain, 'timeOver')).toEqual({ kind: 'ended', how: 'lost' });
  });

  it('records whether the handle of a settlement is certain', () => {
    expect(stateAfter(held, 'settlementBegun')).toMatchObject({ isCertain: true });
    expect(stateAfter(held, 'renewalBegun', 'renewalUnanswered', 'settlementBegun')).toMatchObject({
      isCertain: false,
    });
  });

  it('lets the answer of an open renewal decide whether the lease outlives its old end', () => {
    expect(stateAfter(held, 'renewalBegun', 'timeOver', 'renewed')).toMatchObject({ kind: 'held', endsAtMs: 60 });
    expect(stateAfter(held, 'renewalBegun', 'timeOver', 'renewalRejected')).toEqual({ kind: 'ended', how: 'lost' });
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
      for (const kind of kinds) expect(stateAfter(ended, kind)).toEqual(ended);
    }
  });
});
