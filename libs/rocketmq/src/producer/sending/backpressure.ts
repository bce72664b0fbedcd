// What a producer does when it is asked to send faster than the server takes: its options, and what a send finds at the door.

import type { Deadline } from '../../support/deadline.js';
import { TransportError, UsageError } from '../../support/errors.js';
import { positiveInteger } from '../../support/options.js';
import { InFlightLimit, type Room } from './in-flight-limit.js';
import { NotSentError } from './not-sent-error.js';

/** How much may be under way at once, half messages and one-way sends included, and what happens beyond. */
export interface BackpressureOptions {
  /** How many messages. Default 1024. */
  readonly maxInFlight?: number;
  /** How many bytes of bodies, packed ones as they are packed. A single larger one goes alone. Default 64 MiB. */
  readonly maxInFlightBytes?: number;
  /**
   * `wait`: a send waits for room, in the order of the calls, within its own deadline. `refuse`: it fails at once with
   * `TOO_MANY_IN_FLIGHT`, and nothing was sent; only the messages of a batch wait all the same, since it is they that fill the
   * room. Default `wait`.
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

  /** Room at once, if there is any and nobody waits for it. */
  tryEnter(bytes: number): Room | undefined {
    return this.limit.tryEnter(bytes);
  }

  /**
   * @param whenFull default: as the option says
   * @throws NotSentError `TOO_MANY_IN_FLIGHT`; TransportError `DEADLINE_EXCEEDED` whose outcome is `not-sent`; the reason of
   *   a caller who aborts
   */
  async enter(bytes: number, deadline: Deadline, whenFull = this.whenFull): Promise<Room> {
    if (whenFull === 'refuse') {
      const room = this.limit.tryEnter(bytes);
      if (room !== undefined) return room;
      const text = `${deadline.what}: ${this.bounds()} are under way; try again later, or send less at once`;
      throw new NotSentError('TOO_MANY_IN_FLIGHT', text);
    }
    try {
      return await this.limit.enter(bytes, deadline.signal);
    } catch (error) {
      if (!deadline.hasPassed) throw error;
      const text = `${deadline.what}: ${this.bounds()} were under way for ${deadline.timeoutMs} ms; nothing was sent`;
      throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
    }
  }

  private bounds(): string {
    return `as many messages as maxInFlight (${this.maxCount}) and maxInFlightBytes (${this.maxBytes}) allow`;
  }
}
