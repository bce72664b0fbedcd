// What time it is for the business: when an order expires, when something happened.

/** The machine's time, or that of a clock which a test moves. */
export class BusinessClock {
  constructor(private readonly clock?: { nowMs(): number }) {}

  now(): Date {
    return new Date(this.clock?.nowMs() ?? Date.now());
  }
}
