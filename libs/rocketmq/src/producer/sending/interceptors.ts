// The application's interceptors around sends: tracing, metrics, common properties. The send itself is in send-pipeline.ts.

import type { OutgoingMessage } from '../../protocol/model/message.js';
import { assertMessageTypes } from '../../protocol/model/message-checks.js';
import { raceAbort } from '../../support/abort.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError, StateError, TransportError, UsageError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import { NotSentError } from './not-sent-error.js';
import { receiptOf, type SendReceipt } from './send-request.js';

/** What an interceptor knows of the send that it wraps. */
export interface InterceptedSend {
  /** The call that the message belongs to; `half` is the message of a transaction. */
  readonly kind: 'send' | 'batch' | 'oneway' | 'half';
  /** Fires when the send times out, or its caller aborts. */
  readonly signal: AbortSignal;
}

/**
 * Wraps the send of each message. It can pass a different message to `next`, for example with more properties; the message is validated
 * after that. Topic, message group and message id must not change, because order and transactions depend on them.
 *
 * Call `next` once. If the interceptor throws before that, the message is not sent, and the caller gets that error, as `not-sent`.
 * After `next`, the caller gets the result of `next`, whatever the interceptor returns or throws: a stored message is never reported as
 * failed, nor a failed one as stored. Other errors that it throws are logged.
 *
 * A message of a message group waits in `next` for the messages that were called before it. So do not wait for the send of another
 * message of its group before `next`: that one waits for this one.
 */
export type SendInterceptor = (
  message: OutgoingMessage,
  next: (message: OutgoingMessage) => Promise<SendReceipt>,
  send: InterceptedSend,
) => Promise<SendReceipt>;

type Send<T> = (message: OutgoingMessage) => Promise<T>;

/** Observes sends. It must not throw, except for errors of the send. */
export interface SendTelemetry {
  /** Runs the send of one message, inside all interceptors. @param send called once, with the message or with one that has more properties */
  send<T>(message: OutgoingMessage, kind: InterceptedSend['kind'], send: Send<T>): Promise<T>;
}

/** The interceptors of a producer, the outermost first, and its telemetry inside of them. */
export class Interceptors {
  constructor(
    private readonly interceptors: readonly SendInterceptor[],
    private readonly logger: Logger,
    private readonly telemetry?: SendTelemetry | undefined,
  ) {}

  get areNone(): boolean {
    return this.areSynchronous && this.telemetry === undefined;
  }

  /** Whether a message is sent in the turn of the event loop in which it was called: telemetry waits for nothing. */
  get areSynchronous(): boolean {
    return this.interceptors.length === 0;
  }

  /** Sends a message through all of them. @throws as documented at `SendInterceptor`; if {@link areSynchronous}, in this turn what `send` throws in it */
  run<T extends SendReceipt>(
    message: OutgoingMessage,
    kind: InterceptedSend['kind'],
    deadline: Deadline,
    send: Send<T>,
  ): Promise<T> {
    const { telemetry } = this;
    const observed: Send<T> = telemetry === undefined ? send : (given) => telemetry.send(given, kind, send);
    if (this.areSynchronous) return observed(message);
    const call: InterceptedSend = { kind, signal: deadline.signal };
    const innermost: Send<T> = async (given) => {
      assertMessageTypes(given);
      assertUnmoved(message, given);
      return observed(given);
    };
    const chain = this.interceptors.reduceRight<Send<T>>(
      (inner, one) => this.around(one, inner, call, deadline),
      innermost,
    );
    return chain(message);
  }

  private around<T extends SendReceipt>(
    interceptor: SendInterceptor,
    inner: Send<T>,
    call: InterceptedSend,
    deadline: Deadline,
  ): Send<T> {
    return async (message) => {
      const gate = new Gate(inner, deadline.what);
      const next = (given: OutgoingMessage): Promise<SendReceipt> => gate.pass(given);
      let thrown: { readonly error: unknown } | undefined;
      try {
        await raceAbort(invoke(interceptor, message, next, call), deadline.signal);
      } catch (error) {
        thrown = { error };
      }
      const sending = gate.close();
      if (sending === undefined) throw notSent(thrown, deadline);
      if (thrown !== undefined) await this.logUnlessReported(thrown.error, sending, message, deadline);
      return sending;
    };
  }

  private async logUnlessReported(
    error: unknown,
    sending: Promise<unknown>,
    { topic, messageId }: OutgoingMessage,
    { signal }: Deadline,
  ): Promise<void> {
    const result = await sending.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === result || error === signal.reason) return;
    const fields = { topic, messageId, error: describeError(error) };
    this.logger.error('an interceptor failed after it had called next; the result of the send is unchanged', fields);
  }
}

/** Lets one message pass. */
class Gate<T extends SendReceipt> {
  private sending: Promise<T> | undefined;
  private isClosed = false;

  constructor(
    private readonly inner: Send<T>,
    private readonly what: string,
  ) {}

  pass(message: OutgoingMessage): Promise<SendReceipt> {
    const result = this.send(message).then(receiptOf);
    // An interceptor does not have to await `next`: the caller gets the result anyway.
    result.catch(() => {});
    return result;
  }

  /** Closes the gate. @returns the send that passed it, if there was one */
  close(): Promise<T> | undefined {
    this.isClosed = true;
    return this.sending;
  }

  private async send(message: OutgoingMessage): Promise<T> {
    if (this.sending !== undefined) {
      const text = `${this.what}: an interceptor called next twice; the message was not sent a second time`;
      throw new UsageError('NEXT_CALLED_TWICE', text, 'interceptors');
    }
    if (this.isClosed) {
      const text = `${this.what}: an interceptor called next after it had ended; nothing was sent`;
      throw new StateError('NEXT_CALLED_LATE', text);
    }
    this.sending = this.inner(message);
    this.sending.catch(() => {});
    return this.sending;
  }
}

/** Converts a throw before the first `await` into a rejection. */
async function invoke(interceptor: SendInterceptor, ...args: Parameters<SendInterceptor>): Promise<SendReceipt> {
  return interceptor(...args);
}

function notSent(thrown: { readonly error: unknown } | undefined, deadline: Deadline): unknown {
  const { what, signal, timeoutMs } = deadline;
  if (thrown === undefined) {
    const text = `${what}: an interceptor returned without calling next; nothing was sent. To stop a send, throw an error`;
    return new UsageError('NEXT_NOT_CALLED', text, 'interceptors');
  }
  const { error } = thrown;
  if (error === signal.reason) {
    if (!deadline.hasPassed) return error;
    const text = `${what}: an interceptor did not call next within ${timeoutMs} ms; nothing was sent`;
    return new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
  }
  if (RocketMQError.is(error) && error.outcome === 'not-sent') return error;
  const text = `${what}: an interceptor failed before the message was sent (${describeError(error)})`;
  return new NotSentError('INTERCEPTOR_FAILED', text, { cause: error });
}

/** These fields have already determined the order in a batch and a group, and the checker of a transaction. */
function assertUnmoved(original: OutgoingMessage, given: OutgoingMessage): void {
  for (const field of ['topic', 'messageGroup', 'liteTopic', 'messageId'] as const) {
    if (given[field] === original[field]) continue;
    const text = `message to "${original.topic}": an interceptor changed ${field}, which must not change; nothing was sent`;
    throw new UsageError('INTERCEPTOR_MOVED_MESSAGE', text, field);
  }
}
