// How long it takes until all groups have been looked at in turn.

export class RoundDuration {
  private beganMs: number | undefined;
  /** That of the last round; 0 before one has ended. */
  lastMs = 0;

  /** A round ends where the next one begins. @param nowMs a duration */
  begin(nowMs: number): void {
    if (this.beganMs !== undefined) this.lastMs = nowMs - this.beganMs;
    this.beganMs = nowMs;
  }

  /** Nobody looked for a while. */
  reset(): void {
    this.beganMs = undefined;
    this.lastMs = 0;
  }
}
