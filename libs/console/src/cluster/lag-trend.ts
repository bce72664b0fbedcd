// Whether the lag of a group grows, and whether somebody consumes: kept for every group, so no more than a few points.

interface TrendPoint {
  /** A duration. */
  readonly atMs: number;
  readonly lag: bigint;
  /** The sum of the group's positions. */
  readonly position: bigint;
}

const MOST_POINTS = 6;
const FEWEST_POINTS = 3;
/** A shorter rise is that of a batch. */
const SHORTEST_MS = 50_000;
/** Points that are further apart say nothing of what was between. */
const LONGEST_GAP_MS = 15 * 60_000;

export class LagTrend {
  private points: TrendPoint[] = [];

  add({ atMs, lag, position }: TrendPoint): void {
    const last = this.points.at(-1);
    if (last !== undefined && (atMs - last.atMs > LONGEST_GAP_MS || atMs < last.atMs)) this.points = [];
    this.points.push({ atMs, lag, position });
    if (this.points.length > MOST_POINTS) this.points.shift();
  }

  /** Whether the group has moved ahead: brokers do not know consumers behind a proxy in cluster mode. */
  get isMoving(): boolean {
    const [first] = this.points;
    const last = this.points.at(-1);
    return first !== undefined && last !== undefined && last.position > first.position;
  }

  /** Whether the lag has not fallen, and has risen, since the oldest point. */
  get isGrowing(): boolean {
    const [first, ...later] = this.points;
    const last = later.at(-1);
    if (first === undefined || last === undefined || this.points.length < FEWEST_POINTS) return false;
    if (last.atMs - first.atMs < SHORTEST_MS || last.lag <= first.lag) return false;
    return later.every(({ lag }, index) => lag >= (this.points[index]?.lag ?? 0n));
  }
}
