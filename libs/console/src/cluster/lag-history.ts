// The lag of one group over time: an hour in fine steps, a day in coarse ones.

/** A point of a chart. */
interface LagPoint {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly lag: number;
  readonly deadLetters?: number;
}

const FINE = { stepMs: 10_000, most: 360 };
const COARSE = { stepMs: 300_000, most: 288 };

export class LagHistory {
  private readonly fine: LagPoint[] = [];
  /** Of each step the largest value, so that a short peak stays visible. */
  private readonly coarse: LagPoint[] = [];

  add(point: LagPoint): void {
    this.fine.push(point);
    if (this.fine.length > FINE.most) this.fine.shift();
    const last = this.coarse.at(-1);
    const isSameStep =
      last !== undefined && Math.floor(last.atMs / COARSE.stepMs) === Math.floor(point.atMs / COARSE.stepMs);
    if (!isSameStep) this.coarse.push(point);
    else if (point.lag > last.lag) this.coarse[this.coarse.length - 1] = { ...point, atMs: last.atMs };
    if (this.coarse.length > COARSE.most) this.coarse.shift();
  }

  points(range: 'hour' | 'day'): readonly LagPoint[] {
    return range === 'hour' ? this.fine : this.coarse;
  }
}
