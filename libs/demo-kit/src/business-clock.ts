// Business time: when an order expires, when something happened.

/** The machine's time, or that of a clock that a test controls. */
export class BusinessClock {
  constructor(private readonly clock?: { nowMs(): number }) {}

  now(): Date {
    return new Date(this.clock?.nowMs() ?? Date.now());
  }
}
