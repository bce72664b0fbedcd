// The states of one leased message and the transitions between them. Pure: timers and requests are in message-lease.ts.

/** The state of a message between its receipt and its end. Times are those of a monotonic clock. */
export type LeaseState =
  /** Leased until `endsAtMs`; no request is open. */
  | { readonly kind: 'held'; readonly handle: string; readonly endsAtMs: number }
  /** A renewal is open: no settlement may begin, since the handle may be replaced at any moment. */
  | { readonly kind: 'renewing'; readonly handle: string; readonly endsAtMs: number }
  /** The answer to a renewal was lost: leased until `endsAtMs`, but the handle may be void and is not renewed again. */
  | { readonly kind: 'uncertain'; readonly handle: string; readonly endsAtMs: number }
  /** The one settlement is open; nothing else may touch the message any more. */
  | { readonly kind: 'settling'; readonly handle: string; readonly endsAtMs: number; readonly isCertain: boolean }
  /** Over: settled, lost, or dropped without a request. */
  | { readonly kind: 'ended'; readonly how: 'settled' | 'lost' | 'dropped' };

export type LeaseEvent =
  | { readonly kind: 'renewalBegun' }
  | { readonly kind: 'renewed'; readonly handle: string; readonly endsAtMs: number }
  /** The server answered that the handle is void. */
  | { readonly kind: 'renewalRejected' }
  /** The renewal certainly did not take effect. */
  | { readonly kind: 'renewalNotDone' }
  | { readonly kind: 'renewalUnanswered' }
  | { readonly kind: 'timeOver' }
  | { readonly kind: 'settlementBegun' }
  | { readonly kind: 'settled' }
  | { readonly kind: 'settlementFailed' }
  | { readonly kind: 'dropped' };

/** The state after an event. An event that arrives too late changes nothing. */
export function nextLeaseState(state: LeaseState, event: LeaseEvent): LeaseState {
  if (event.kind === 'dropped' && state.kind !== 'ended') return { kind: 'ended', how: 'dropped' };
  switch (state.kind) {
    case 'held':
      return nextOfHeld(state, event);
    case 'renewing':
      return nextOfRenewing(state, event);
    case 'uncertain':
      if (event.kind === 'timeOver') return { kind: 'ended', how: 'lost' };
      return event.kind === 'settlementBegun' ? { ...state, kind: 'settling', isCertain: false } : state;
    case 'settling':
      if (event.kind === 'settled') return { kind: 'ended', how: 'settled' };
      return event.kind === 'settlementFailed' ? { kind: 'ended', how: 'lost' } : state;
    case 'ended':
      return state;
    default:
      return state satisfies never;
  }
}

function nextOfHeld(state: LeaseState & { kind: 'held' }, event: LeaseEvent): LeaseState {
  switch (event.kind) {
    case 'renewalBegun':
      return { kind: 'renewing', handle: state.handle, endsAtMs: state.endsAtMs };
    case 'settlementBegun':
      return { kind: 'settling', handle: state.handle, endsAtMs: state.endsAtMs, isCertain: true };
    case 'timeOver':
      return { kind: 'ended', how: 'lost' };
    default:
      return state;
  }
}

function nextOfRenewing(state: LeaseState & { kind: 'renewing' }, event: LeaseEvent): LeaseState {
  switch (event.kind) {
    case 'renewed':
      return { kind: 'held', handle: event.handle, endsAtMs: event.endsAtMs };
    case 'renewalRejected':
      return { kind: 'ended', how: 'lost' };
    case 'renewalNotDone':
      return { ...state, kind: 'held' };
    case 'renewalUnanswered':
      return { ...state, kind: 'uncertain' };
    // The open renewal may still extend the lease: its answer decides, not the end of the old lease.
    default:
      return state;
  }
}
