// Moves the time of a broker, within limits, and stores how far it was moved.

import { type Clock, HOUR_MS, SECOND_MS } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import type { TravelClock, TravelPoint } from '../../support/travel-clock.js';
import { keys } from '../store/records.js';
import type { Change, Store } from '../store/store.js';
import type { ClientTime } from './client-time.js';
import { StandingTime } from './standing-time.js';
import { TimeLine, type TimePoint } from './time-line.js';
import { type SteppedBroker, TimeSteps } from './time-steps.js';

/** How far one call can move the time. */
export const MAX_ADVANCE_MS = 366 * 24 * HOUR_MS;
/** How long each step may take to become quiet, in real time. */
const GUARD_MS = 5 * SECOND_MS;
/** A call that takes longer in real time ends between two steps, so that its caller gets an answer before its own deadline. */
const MAX_CALL_MS = 4 * SECOND_MS;
/** The most points that are stored: two for each call. */
const MAX_POINTS = 2_000;

/** Where to move the time: by a duration, to a moment on the broker's clock, or to the next moment at which something is due. */
export type TimeTarget = { readonly byMs: number } | { readonly toMs: number } | { readonly next: true };

/** What a call has reached. */
interface TimeAdvance {
  readonly nowMs: number;
  readonly offsetMs: number;
  readonly targetMs: number;
  readonly passed: number;
  readonly done: boolean;
}

/** The parts of a broker that travels in time. */
interface TravelingBroker {
  readonly clock: TravelClock;
  readonly realClock: Clock;
  readonly store: Store;
  readonly inside: SteppedBroker;
  /** When something is due next; undefined if nothing is. */
  nextDueAtMs(): number | undefined;
}

export class TimeTravel {
  /** The time of the clients, whose clocks show real time. */
  readonly clientTime: ClientTime;
  /** Unless the clock stands still. */
  readonly line = new TimeLine();
  private readonly standing: StandingTime | undefined;
  private readonly steps: TimeSteps;
  /** The numbers of the points in the store, in their order. */
  private stored: number[] = [];
  private moving: Promise<unknown> | undefined;
  /** Whether the current call has already moved the time; its further jumps belong to the same stretch. */
  private hasMoved = false;
  private isStopped = false;

  constructor(private readonly broker: TravelingBroker) {
    const { clock, realClock } = broker;
    this.steps = new TimeSteps(broker.inside, clock, clock, false, () => false);
    this.standing = clock.stands
      ? new StandingTime(() => ({ realMs: realClock.nowMs(), brokerMs: clock.nowMs() }))
      : undefined;
    this.clientTime = this.standing ?? this.line;
  }

  /** Continues at the time of the store. Must be called at each start, before anything is scheduled. */
  load(): void {
    const { clock, realClock, store } = this.broker;
    this.isStopped = false;
    if (this.standing !== undefined) return;
    const found = [...store.scan(keys.times)];
    const points = found.map(([, point]) => point as TimePoint);
    this.stored = found.map(([key]) => key[1] as number);
    this.line.load(points);
    const last = points.at(-1);
    // If the machine's clock went back, the broker's must not show a time before what is stored.
    if (last !== undefined) clock.resume(Math.max(this.line.offsetMs, last.brokerMs - realClock.nowMs()));
  }

  /** How far the broker's clock was moved ahead. */
  get offsetMs(): number {
    return this.broker.clock.offsetMs;
  }

  /**
   * Moves the time to each moment at which something is due, one after another, and waits until it has happened. The call ends early
   * when it takes too long; another one continues.
   * @throws StateError `NOT_QUIET` that names what continues and says how far the time was moved; `TIME_MOVING` during another call;
   * `NOTHING_DUE` if there is no next moment
   */
  async advance(target: TimeTarget, duringWork: boolean): Promise<TimeAdvance> {
    if (this.moving !== undefined) {
      const message =
        'another request is moving the time; nothing was changed; repeat this one when the other has ended';
      throw new StateError('TIME_MOVING', message);
    }
    const moving = this.move(this.targetOf(target), duringWork);
    this.moving = moving;
    try {
      return await moving;
    } finally {
      this.moving = undefined;
      this.hasMoved = false;
    }
  }

  /** Ends a call that is moving the time. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await this.moving?.catch(() => {});
  }

  /** The clock is about to jump. What is stored at the new time must not be on disk before the time itself. */
  jump(from: TravelPoint, to: TravelPoint): void {
    if (this.standing !== undefined) {
      this.standing.moved(pointOf(to), this.hasMoved);
      this.hasMoved = true;
      return;
    }
    const changes = this.hasMoved ? [] : [this.put(this.line.add(pointOf(from)))];
    const point = this.hasMoved ? this.line.extend(pointOf(to)) : this.line.add(pointOf(to));
    if (this.hasMoved) this.stored.pop();
    changes.push(this.put(point));
    this.hasMoved = true;
    if (this.stored.length > MAX_POINTS) {
      this.line.joinOldest();
      changes.push(...this.stored.splice(1, 2).map((number): Change => ({ kind: 'delete', key: keys.time(number) })));
    }
    this.broker.store.write(changes);
  }

  private put(value: TimePoint): Change {
    const number = (this.stored.at(-1) ?? 0) + 1;
    this.stored.push(number);
    return { kind: 'put', key: keys.time(number), value };
  }

  private async move(targetMs: number, duringWork: boolean): Promise<TimeAdvance> {
    const { clock, realClock, store, inside } = this.broker;
    const [offsetMs, passed] = [clock.offsetMs, inside.duePassed()];
    const overAtMs = realClock.monotonicMs() + MAX_CALL_MS;
    const advice = (): string => {
      const cure = duringWork ? 'repeat this when it has ended' : 'repeat this when it has ended, or with duringWork';
      return `${cure}; ${progress(clock.offsetMs - offsetMs, clock.nowMs(), targetMs)}`;
    };
    const done = await this.steps.advance(clock, targetMs, {
      guardMs: GUARD_MS,
      duringWork,
      advice,
      assertWanted: () => this.assertRunning(),
      isOver: () => realClock.monotonicMs() >= overAtMs,
    });
    await store.flush();
    const reached = { nowMs: clock.nowMs(), offsetMs: clock.offsetMs };
    return { ...reached, targetMs, passed: inside.duePassed() - passed, done };
  }

  private targetOf(target: TimeTarget): number {
    const nowMs = this.broker.clock.nowMs();
    if ('byMs' in target) return nowMs + target.byMs;
    if ('toMs' in target) return target.toMs;
    const dueAtMs = this.broker.nextDueAtMs();
    if (dueAtMs === undefined) {
      throw new StateError('NOTHING_DUE', 'nothing is due at any time; the time was not moved');
    }
    return Math.max(nowMs, Math.ceil(dueAtMs));
  }

  private assertRunning(): void {
    if (this.isStopped) throw new StateError('NOT_STARTED', 'the broker was stopped while its time was being moved');
  }
}

function pointOf({ realMs, movedMs }: TravelPoint): TimePoint {
  return { realMs, brokerMs: movedMs };
}

function progress(movedMs: number, nowMs: number, targetMs: number): string {
  if (movedMs === 0) return 'the time was not moved';
  const leftMs = Math.max(0, targetMs - nowMs);
  return `the time was moved by ${movedMs} ms, to ${new Date(nowMs).toISOString()}, ${leftMs} ms before the target`;
}

/**
 * A broker that cannot move its time must not open the data of one that did: it would go back.
 * @throws StateError `TIME_MOVED`
 */
export function assertTimeNotMoved(store: Store): void {
  const line = new TimeLine();
  line.load(Array.from(store.scan(keys.times), ([, point]) => point as TimePoint));
  if (line.offsetMs === 0) return;
  const what = `the time of this data was moved ahead by ${line.offsetMs} ms; without time travel the broker would go back`;
  throw new StateError('TIME_MOVED', `${what}; start it with timeTravel, or with another folder. Nothing was changed`);
}
