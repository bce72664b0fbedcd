// Limits the sends in flight when the application sends faster than the server accepts messages.

import type { Deadline } from '../../support/deadline.js';
import { TransportError, UsageError } from '../../support/errors.js';
import { positiveInteger } from '../../support/options.js';
import { InFlightLimit, type Room } from './in-flight-limit.js';
import { NotSentError } from './not-sent-error.js';

/** How much may be in flight at once, including half messages and one-way sends, and what happens beyond that. */
export interface BackpressureOptions {
  /** The maximum number of messages in flight. Default 1024. */
  readonly maxInFlight?: number;
  /** The maximum number of bytes of bodies in flight, counted after compression. A single larger body is sent alone. Default 64 MiB. */
  readonly maxInFlightBytes?: number;
  /**
   * `wait`: a send waits for room, in the order of the calls, within its own deadline. `refuse`: it fails immediately with
   * `TOO_MANY_IN_FLIGHT`, and nothing was sent; only the messages of a batch wait anyway, because the batch itself fills the
   * limit. Default `wait`.
   */
  readonly whenFull?: 'wait' | 'refuse';
}

const DEFAULT_MAX_IN_FLIGHT = 1024;
const DEFAULT_MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024;

/** Admits sends while there is room. */
export class Backpressure {
  private readonly maxCount: number;
  private readonly maxBytes: number;
  private readonly whenFull: 'wait' | 'refuse';
  private readonly limit: InFlightLimit;

  /** @throws UsageError that names the option */
  constructor({ maxInFlight, maxInFlightBytes, whenFull = 'wait' }: BackpressureOptions) {
    this.maxCount = positiveInteger('maxInFlight', maxInFlight ?? DEFAULT_MAX_IN_FLIGHT);
    this.maxBytes = positiveInteger('maxInFlightBytes', maxInFlightBytes ?? DEFAULT_MAX_IN_FLIGHT_BYTES);
    if (whenFull !== 'wait' && whenFull !== 'refuse') {
      const text = `option whenFull must be "wait" or "refuse", not ${JSON.stringify(whenFull)}`;
      throw new UsageError('ILLEGAL_OPTION', text, 'whenFull');
    }
    this.whenFull = whenFull;
    this.limit = new InFlightLimit({ maxCount: this.maxCount, maxBytes: this.maxBytes });
  }

  /** Room, if it is available immediately and nobody waits for it. */
  tryEnter(bytes: number): Room | undefined {
    return this.limit.tryEnter(bytes);
  }

  /**
   * @param whenFull default: the option `whenFull`
   * @throws NotSentError `TOO_MANY_IN_FLIGHT`; TransportError `DEADLINE_EXCEEDED` whose outcome is `not-sent`; the reason of
   *   a caller that aborts
   */
  async enter(bytes: number, deadline: Deadline, whenFull = this.whenFull): Promise<Room> {
    if (whenFull === 'refuse') {
      const room = this.limit.tryEnter(bytes);
      if (room !== undefined) return room;
      const text = `${deadline.what}: ${this.bounds()} are in flight; try again later, or send less at once`;
      throw new NotSentError('TOO_MANY_IN_FLIGHT', text);
    }
    try {
      return await this.limit.enter(bytes, deadline.signal);
    } catch (error) {
      if (!deadline.hasPassed) throw error;
      const text = `${deadline.what}: ${this.bounds()} were in flight for ${deadline.timeoutMs} ms; nothing was sent`;
      throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
    }
  }

  private bounds(): string {
    return `as many messages as maxInFlight (${this.maxCount}) and maxInFlightBytes (${this.maxBytes}) allow`;
  }
}
