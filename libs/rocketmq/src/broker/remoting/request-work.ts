// Whether a request is being worked on, so that tests can wait until the broker is idle: one that waits for something to happen is not.

/** The work on one request. It begins at once. */
export class RequestWork {
  private end: () => void;

  /** @param begin reports it to the broker, and returns what ends it */
  constructor(private readonly begin: () => () => void) {
    this.end = begin();
  }

  pause(): void {
    this.end();
  }

  resume(): void {
    this.end = this.begin();
  }
}
