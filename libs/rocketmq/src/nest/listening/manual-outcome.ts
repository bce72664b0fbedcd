// The outcome of a message of a manual listener: set once, during the handler or after it.

import { DeadLetterError, RetryLaterError, type RetryLaterOptions } from '../../consumer/model/outcome-errors.js';
import { abortReason, listenTo } from '../../support/abort.js';
import { StateError } from '../../support/errors.js';

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'set'; readonly error: Error | undefined }
  /** The delivery has ended without an outcome: too late. */
  | { readonly kind: 'closed' };

/** The outcome that the handler of one delivery sets. */
export class ManualOutcome {
  private state: State = { kind: 'open' };
  private wake: () => void = () => {};

  /** @param onSet called with the outcome; undefined is an ack. Returns false when the delivery has already ended */
  constructor(private readonly onSet: (error: Error | undefined) => boolean) {}

  /** @throws StateError `ALREADY_SETTLED` the second time, `TOO_LATE` when the delivery has already ended */
  ack(): void {
    this.set(undefined);
  }

  /** @throws as {@link ack}; UsageError for an invalid option */
  retryLater(options: RetryLaterOptions): void {
    this.set(new RetryLaterError(options));
  }

  /** @throws as {@link ack} */
  deadLetter(reason: string | undefined): void {
    this.set(new DeadLetterError(reason));
  }

  get isSet(): boolean {
    return this.state.kind === 'set';
  }

  /** Waits until the outcome is set. @throws the outcome, unless it is an ack; the signal's reason */
  async untilSet(signal: AbortSignal): Promise<void> {
    if (this.state.kind === 'open') await this.waited(signal);
    const { state } = this;
    if (state.kind === 'set' && state.error !== undefined) throw state.error;
  }

  /** From now on, setting an outcome is too late. */
  close(): void {
    if (this.state.kind === 'open') this.state = { kind: 'closed' };
  }

  private waited(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortReason(signal));
      const unlisten = listenTo(signal, () => reject(abortReason(signal)));
      this.wake = () => {
        unlisten();
        resolve();
      };
    });
  }

  private set(error: Error | undefined): void {
    if (this.state.kind === 'set') {
      throw new StateError(
        'ALREADY_SETTLED',
        'the handler has already set the outcome of this message; the first one counts',
      );
    }
    if (this.state.kind === 'closed' || !this.onSet(error)) {
      const text =
        'this delivery has already ended (timeout, error, lost lease or shutdown); the message is redelivered or dead-lettered';
      throw new StateError('TOO_LATE', text);
    }
    this.state = { kind: 'set', error };
    this.wake();
  }
}
