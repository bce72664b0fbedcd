// Why the engine refuses a command. The services turn each reason into a code of the protocol.

export type RefusalReason =
  | 'unknown-topic'
  | 'unknown-group'
  | 'type-conflict'
  | 'dead-handle'
  | 'unknown-transaction'
  | 'recall-disabled'
  | 'recall-invalid'
  | 'recall-late'
  | 'store-full';

/** A command that cannot be done. Nothing was changed. */
export class Refusal extends Error {
  constructor(
    readonly reason: RefusalReason,
    message: string,
  ) {
    super(message);
    this.name = 'Refusal';
  }
}
