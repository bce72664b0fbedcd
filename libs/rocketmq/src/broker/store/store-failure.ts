// The error of a store that could not write.

/**
 * The store could not write to its disk. Writes since the last successful flush may be on disk or not. The store rejects
 * everything until it is opened again.
 */
export class StoreFailure extends Error {
  constructor(why: string, options?: ErrorOptions) {
    const advice =
      'the last sends and acks may or may not be stored; fix the disk and restart the broker, which rejects everything until then';
    super(`the broker cannot write to its disk (${why}); ${advice}`, options);
    this.name = 'StoreFailure';
  }
}
