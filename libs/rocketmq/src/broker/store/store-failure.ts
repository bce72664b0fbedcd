// What becomes of a store that could not write.

/**
 * The store lost its disk: what was written since the last flush that succeeded may be on it or not. It takes nothing more
 * until it is opened anew.
 */
export class StoreFailure extends Error {
  constructor(why: string, options?: ErrorOptions) {
    const advice =
      'what was just sent or acked may be stored or not; the broker accepts nothing more until it is restarted';
    super(`the broker could not write to its disk (${why}): ${advice}`, options);
    this.name = 'StoreFailure';
  }
}
