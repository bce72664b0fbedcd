// Why the engine rejects a command. The services map each reason to a status code of the protocol.

export type RejectionReason =
  | 'unknown-topic'
  | 'unknown-group'
  | 'group-paused'
  | 'type-conflict'
  | 'dead-handle'
  | 'unknown-transaction'
  | 'recall-disabled'
  | 'recall-invalid'
  | 'recall-late'
  | 'store-full'
  | 'too-many-lite-topics';

/** The engine rejected a command. Nothing was changed. */
export class Rejection extends Error {
  constructor(
    readonly reason: RejectionReason,
    message: string,
  ) {
    super(message);
    this.name = 'Rejection';
  }
}
