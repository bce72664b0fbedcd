// A request to the control port that is rejected.

/** Nothing was changed. Answered as `{ code, message }` with its HTTP status. */
export class ControlRejection extends Error {
  constructor(
    readonly status: number,
    /** A stable name, for instance `UNKNOWN_TOPIC`. */
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'ControlRejection';
  }
}

/** A field of the request is invalid. */
export function illegal(field: string, what: string): ControlRejection {
  return new ControlRejection(400, 'ILLEGAL_ARGUMENT', `${field} ${what}`);
}
