// What becomes of a store that could not write.

/**
 * The store lost its disk: what was written since the last flush that succeeded may be on it or not. It takes nothing more
 * until it is opened anew.
 */
export class StoreFailure extends Error {
  constructor(why: string, options?: ErrorOptions) {
    const advice =
      'the last sends and acks may or may not be stored; fix the disk and restart the broker, which rejects everything until then';
    super(`the broker cannot write to its disk (${why}); ${advice}`, options);
    this.name = 'StoreFailure';
  }
}
