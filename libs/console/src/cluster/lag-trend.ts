// Whether the lag of a group grows, and whether somebody consumes: kept for every group, so no more than a few points.

interface TrendPoint {
  /** When the look began, as a duration: how long it takes varies. */
  readonly atMs: number;
  readonly lag: number;
  /** The sum of the group's positions. */
  readonly position: number;
  /** The sum of the offsets that the next messages get. */
  readonly end: number;
}

/** Messages a second. */
export interface Rates {
  readonly arriving: number;
  readonly delivered: number;
}

const MAX_POINTS = 6;
const MIN_POINTS = 3;
/** A shorter rise is that of a batch. Six looks at a watched group take about 50 s. */
const MIN_SPAN_MS = 40_000;

export class LagTrend {
  private points: TrendPoint[] = [];

  /** @param longestGapMs points that are further apart say nothing of what was between */
  add(point: TrendPoint, longestGapMs: number): void {
    const { atMs } = point;
    const last = this.points.at(-1);
    if (last !== undefined && (atMs - last.atMs > longestGapMs || atMs < last.atMs)) this.points = [];
    this.points.push(point);
    if (this.points.length > MAX_POINTS) this.points.shift();
  }

  /** Undefined until there are two points, and after a rewind. */
  get rates(): Rates | undefined {
    const [first] = this.points;
    const last = this.points.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs || last.position < first.position)
      return undefined;
    const seconds = (last.atMs - first.atMs) / 1_000;
    const rate = (from: number, to: number): number => Math.round(((to - from) / seconds) * 10) / 10;
    return { arriving: rate(first.end, last.end), delivered: rate(first.position, last.position) };
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
    if (first === undefined || last === undefined || this.points.length < MIN_POINTS) return false;
    if (last.atMs - first.atMs < MIN_SPAN_MS || last.lag <= first.lag) return false;
    return later.every(({ lag }, index) => lag >= (this.points[index]?.lag ?? 0));
  }
}
