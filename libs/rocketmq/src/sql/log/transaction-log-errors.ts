// The errors of the transaction log.

import { RocketMQError, StateError, UsageError } from '../../support/errors.js';

/**
 * The server's check came first and declared the transaction rolled back, for example because the process had stalled. Nothing
 * was committed and no message is visible: it can be repeated as a new transaction.
 */
export class TransactionFencedError extends RocketMQError {
  constructor(
    readonly transactionId: string,
    options?: ErrorOptions,
  ) {
    const text =
      `transaction ${transactionId} has already ended according to the log, so the local transaction fails: a check has declared ` +
      'it rolled back (repeat it as a new transaction), or record() was called twice';
    super('TRANSACTION_FENCED', text, 'rejected', true, options);
  }
}

/**
 * The row of `record()` was rolled back with a savepoint around it, whose error was caught; MySQL does not distinguish that from a rollback of the whole
 * transaction. The message was dropped; changes outside of that savepoint are in the database. The `cause` is the error of `record()`, if
 * it failed.
 */
export class RecordRolledBackError extends RocketMQError {
  /** @param options `where`: what was rolled back, as far as the database says */
  constructor(
    readonly transactionId: string,
    options?: ErrorOptions & { readonly where?: 'savepoint' | 'savepoint or transaction' },
  ) {
    const text =
      `the row of ${transactionId} was rolled back, but its method returned: the ${options?.where ?? 'savepoint'} in which ` +
      'record() ran was rolled back, and its error was caught. The message was dropped, but the changes outside of that ' +
      'are committed: do not repeat them. Call record() outside of such a savepoint, or rethrow the error. To drop the ' +
      'message, call rollback() of the current transaction';
    super('RECORD_ROLLED_BACK', text, 'unknown', false, options);
  }
}

/** `record()` got a connection instead of a transaction. */
export function notInTransaction(): UsageError {
  return new UsageError(
    'NO_TRANSACTION',
    'record() got a connection that is not in a database transaction: the row would be committed by itself, independently of ' +
      'the rest. Nothing was written. Pass the object that the transaction passes to its callback: ' +
      'database.transaction((tx) => log.record(tx))',
    'tx',
  );
}

/** The row is not in the database, but the method returned. @param swallowed what the database does after a swallowed error */
export function notCommitted(transactionId: string, swallowed: string): StateError {
  const text =
    `the database transaction in which record() ran for ${transactionId} was rolled back, but its method returned: the error of a ` +
    `statement was swallowed, ${swallowed}, or the error of the transaction was caught. Nothing ` +
    'of that transaction is in the database, and the message was dropped. Changes that the method committed in other transactions are in the ' +
    'database: do not repeat that. Rethrow such errors, or run a statement that may fail in a savepoint. To drop the message, ' +
    'call rollback() of the current transaction';
  return new StateError('NOT_COMMITTED', text);
}

/** A method that nothing recorded, where it should be recorded without its doing. */
export function notRecorded(transactionId: string, connection: string): StateError {
  const text =
    `the method of transaction ${transactionId} has ended, but no @Transactional() of ${connection} ran in it or around it, so a check would ` +
    'answer "rolled back". The message was dropped; what the method changed is in the database. Put @Transactional() below @TransactionalSend, ' +
    'call record(tx) for a transaction that you begin yourself, or call rollback() of the current transaction where there is nothing to send';
  return new StateError('NOT_RECORDED', text);
}
