// The time of a broker whose clock stands still, for clients whose clocks run. Each moment of the broker's clock lasts, for the clients,
// from when it was moved there until it is moved on.

import type { ClientTime } from './client-time.js';
import type { TimePoint } from './time-line.js';

/** The most moves that are remembered. */
const MAX_MOVES = 1_000;

export class StandingTime implements ClientTime {
  /** Where the clock stood, and from when on: at least one, the earliest first. */
  private readonly stands: [TimePoint, ...TimePoint[]];

  constructor(private readonly now: () => TimePoint) {
    this.stands = [now()];
  }

  /** The clock has moved. @param isOneMove whether this continues the last move */
  moved(to: TimePoint, isOneMove: boolean): void {
    if (isOneMove && this.stands.length > 1) this.stands.pop();
    this.stands.push(to);
    if (this.stands.length > MAX_MOVES) this.stands.splice(1, 1);
  }

  /** What was passed on the way to a moment happened when the clock was moved there. */
  toClient(brokerMs: number): number {
    const now = this.now();
    if (brokerMs > now.brokerMs) return Math.floor(now.realMs + brokerMs - now.brokerMs);
    const [first] = this.stands;
    if (brokerMs < first.brokerMs) return Math.floor(first.realMs + brokerMs - first.brokerMs);
    return (this.stands.find((stand) => stand.brokerMs >= brokerMs) ?? now).realMs;
  }

  toBroker(clientMs: number): number {
    const now = this.now();
    if (clientMs > now.realMs) return Math.ceil(now.brokerMs + clientMs - now.realMs);
    const [first] = this.stands;
    if (clientMs < first.realMs) return Math.ceil(first.brokerMs + clientMs - first.realMs);
    return (this.stands.findLast((stand) => stand.realMs <= clientMs) ?? now).brokerMs;
  }

  toBrokerLast(clientMs: number): number {
    return this.toBroker(clientMs);
  }
}
