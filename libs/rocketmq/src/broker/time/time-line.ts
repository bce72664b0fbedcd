// What the broker's clock showed at which real time. Both run at the same speed, except where the broker's clock was moved ahead: what
// lies in such a stretch happened for the clients while the clock was being moved.

import type { ClientTime } from './client-time.js';

/** A moment on both clocks. */
export interface TimePoint {
  readonly realMs: number;
  readonly brokerMs: number;
}

/** The stretches of moved time, from `from` to `to`. Earlier and later times differ from real time by a constant. */
export class TimeLine implements ClientTime {
  private points: TimePoint[] = [];

  /** The ends of the stretches, the earliest first. */
  get all(): readonly TimePoint[] {
    return this.points;
  }

  /** How far the broker's clock is ahead of real time. */
  get offsetMs(): number {
    const last = this.points.at(-1);
    return last === undefined ? 0 : last.brokerMs - last.realMs;
  }

  /** Replaces everything. @param points ascending on both clocks */
  load(points: readonly TimePoint[]): void {
    this.points = [...points];
  }

  /** Adds a point. Real time that went back counts as having stood still, so that the order of moments is the same on both clocks. */
  add(point: TimePoint): TimePoint {
    const last = this.points.at(-1);
    const added = last === undefined ? point : notBefore(point, last);
    this.points.push(added);
    return added;
  }

  /** Moves the last point ahead. */
  extend(point: TimePoint): TimePoint {
    this.points.pop();
    return this.add(point);
  }

  /** Joins the two oldest stretches; what lies between them is then only approximately where it was. @returns what was removed */
  joinOldest(): readonly TimePoint[] {
    return this.points.splice(1, 2);
  }

  toClient(brokerMs: number): number {
    return Math.floor(this.realOf(brokerMs));
  }

  toBroker(clientMs: number): number {
    const guess = this.guess(clientMs);
    // "For ever", as clients write it: there are no milliseconds out there.
    if (!Number.isSafeInteger(2 * Math.trunc(guess))) return guess;
    const isReached = (brokerMs: number): boolean => this.toClient(brokerMs) >= clientMs;
    // A rounding error of a real millisecond is hours of the broker's, where its clock was moved quickly.
    let [low, high] = [Math.floor(guess), Math.ceil(guess)];
    for (let stepMs = 1; isReached(low); stepMs *= 2) low -= stepMs;
    for (let stepMs = 1; !isReached(high); stepMs *= 2) high += stepMs;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (isReached(middle)) high = middle;
      else low = middle;
    }
    return high;
  }

  toBrokerLast(clientMs: number): number {
    return this.toBroker(clientMs + 1) - 1;
  }

  private realOf(brokerMs: number): number {
    const at = this.indexOf((point) => point.brokerMs <= brokerMs);
    const [before, after] = [this.points[at], this.points[at + 1]];
    if (before === undefined) return brokerMs - firstOffset(after);
    const sinceMs = brokerMs - before.brokerMs;
    if (after === undefined) return before.realMs + sinceMs;
    return before.realMs + sinceMs * ((after.realMs - before.realMs) / (after.brokerMs - before.brokerMs));
  }

  private guess(realMs: number): number {
    const at = this.indexOf((point) => point.realMs < realMs);
    const [before, after] = [this.points[at], this.points[at + 1]];
    if (before === undefined) return realMs + firstOffset(after);
    const sinceMs = realMs - before.realMs;
    if (after === undefined) return before.brokerMs + sinceMs;
    return before.brokerMs + sinceMs * ((after.brokerMs - before.brokerMs) / (after.realMs - before.realMs));
  }

  /** The last point for which the condition holds, which it does up to some point; -1 if there is none. */
  private indexOf(holds: (point: TimePoint) => boolean): number {
    let [low, high] = [0, this.points.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.points[middle] as TimePoint)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function notBefore({ realMs, brokerMs }: TimePoint, last: TimePoint): TimePoint {
  return { realMs: Math.max(realMs, last.realMs), brokerMs: Math.max(brokerMs, last.brokerMs) };
}

function firstOffset(first: TimePoint | undefined): number {
  return first === undefined ? 0 : first.brokerMs - first.realMs;
}
