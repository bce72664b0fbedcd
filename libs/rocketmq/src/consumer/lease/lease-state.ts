// The states of one held message and the only way from one to the next. Pure: timers and requests are in message-lease.ts.

/** What is true of a message between its receipt and its end. Times are those of a monotonic clock. */
export type LeaseState =
  /** Ours until `endsAtMs`; nothing is under way. */
  | { readonly kind: 'held'; readonly handle: string; readonly endsAtMs: number }
  /** A renewal is under way: no settlement may begin, since its handle may be replaced at any moment. */
  | { readonly kind: 'renewing'; readonly handle: string; readonly endsAtMs: number }
  /** The answer to a renewal was lost: still ours until `endsAtMs`, but the handle may be void and is not renewed again. */
  | { readonly kind: 'uncertain'; readonly handle: string; readonly endsAtMs: number }
  /** The one settlement is under way; nothing else may touch the message any more. */
  | { readonly kind: 'settling'; readonly handle: string; readonly endsAtMs: number; readonly isCertain: boolean }
  /** Over: settled, lost to the server, or let go of without a word. */
  | { readonly kind: 'ended'; readonly how: 'settled' | 'lost' | 'dropped' };

export type LeaseEvent =
  | { readonly kind: 'renewalBegun' }
  | { readonly kind: 'renewed'; readonly handle: string; readonly endsAtMs: number }
  /** The server says that the handle is void. */
  | { readonly kind: 'renewalRefused' }
  /** The renewal certainly did not take effect. */
  | { readonly kind: 'renewalNotDone' }
  | { readonly kind: 'renewalUnanswered' }
  | { readonly kind: 'timeOver' }
  | { readonly kind: 'settlementBegun' }
  | { readonly kind: 'settled' }
  | { readonly kind: 'settlementFailed' }
  | { readonly kind: 'dropped' };

/** The state after an event. An event that comes too late changes nothing. */
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
    case 'renewalRefused':
      return { kind: 'ended', how: 'lost' };
    case 'renewalNotDone':
      return { ...state, kind: 'held' };
    case 'renewalUnanswered':
      return { ...state, kind: 'uncertain' };
    // The renewal under way may still bring a new lease: its answer decides, not the old lease's end.
    default:
      return state;
  }
}
