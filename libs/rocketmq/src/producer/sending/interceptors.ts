// What an application puts around its sends: tracing, metrics, properties for all. The send itself is in send-pipeline.ts.

import type { OutgoingMessage } from '../../protocol/model/message.js';
import { raceAbort } from '../../support/abort.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError, StateError, TransportError, UsageError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import { NotSentError } from './not-sent-error.js';
import { receiptOf, type SendReceipt } from './send-receipt.js';

/** What an interceptor may know of the send around which it stands. */
export interface InterceptedSend {
  /** The call that the message belongs to; `half`: it is the message of a transaction. */
  readonly kind: 'send' | 'batch' | 'oneway' | 'half';
  /** Fires when the time of the send is over, or its caller gave up. */
  readonly signal: AbortSignal;
}

/**
 * Stands around the send of each message. It may hand `next` another message, with more properties for instance, which is
 * checked only then; topic, message group and message id have to stay: order and transactions depend on them.
 *
 * Call `next` once. Before it, a throw keeps the message from being sent, and the caller gets that error, as `not-sent`.
 * After it, what `next` gave is what the caller gets, a receipt or an error, whatever the interceptor makes of it: a stored
 * message is never told as failed, nor a failed one as stored. What else it throws then is logged.
 */
export type SendInterceptor = (
  message: OutgoingMessage,
  next: (message: OutgoingMessage) => Promise<SendReceipt>,
  send: InterceptedSend,
) => Promise<SendReceipt>;

type Send<T> = (message: OutgoingMessage) => Promise<T>;

/** The interceptors of a producer, the outermost first. */
export class Interceptors {
  constructor(
    private readonly interceptors: readonly SendInterceptor[],
    private readonly logger: Logger,
  ) {
    for (const interceptor of interceptors) {
      if (typeof interceptor === 'function') continue;
      throw new UsageError('ILLEGAL_OPTION', 'option interceptors must hold functions only', 'interceptors');
    }
  }

  get areNone(): boolean {
    return this.interceptors.length === 0;
  }

  /** Sends a message through all of them. @throws as `SendInterceptor` says */
  run<T extends SendReceipt>(
    message: OutgoingMessage,
    kind: InterceptedSend['kind'],
    deadline: Deadline,
    send: Send<T>,
  ): Promise<T> {
    const call: InterceptedSend = { kind, signal: deadline.signal };
    const innermost: Send<T> = async (given) => {
      assertUnmoved(message, given);
      return send(given);
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
      if (thrown !== undefined) await this.logUnlessTold(thrown.error, sending, message, deadline);
      return sending;
    };
  }

  private async logUnlessTold(
    error: unknown,
    sending: Promise<unknown>,
    { topic, messageId }: OutgoingMessage,
    { signal }: Deadline,
  ): Promise<void> {
    const told = await sending.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error === told || error === signal.reason) return;
    const fields = { topic, messageId, error: describeError(error) };
    this.logger.error('an interceptor failed after it had handed its message on; the send is as it is', fields);
  }
}

/** Lets one message through. */
class Gate<T extends SendReceipt> {
  private sending: Promise<T> | undefined;
  private isClosed = false;

  constructor(
    private readonly inner: Send<T>,
    private readonly what: string,
  ) {}

  pass(message: OutgoingMessage): Promise<SendReceipt> {
    const told = this.send(message).then(receiptOf);
    // An interceptor need not wait: who called the send is told anyhow.
    told.catch(() => {});
    return told;
  }

  /** Nobody comes through any more. @returns the send that did, if one did */
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
      const text = `${this.what}: an interceptor called next after its end; nothing was sent`;
      throw new StateError('NEXT_CALLED_LATE', text);
    }
    this.sending = this.inner(message);
    this.sending.catch(() => {});
    return this.sending;
  }
}

/** A throw before the first `await` is a rejection, too. */
async function invoke(interceptor: SendInterceptor, ...args: Parameters<SendInterceptor>): Promise<SendReceipt> {
  return interceptor(...args);
}

function notSent(thrown: { readonly error: unknown } | undefined, deadline: Deadline): unknown {
  const { what, signal, timeoutMs } = deadline;
  if (thrown === undefined) {
    const text = `${what}: an interceptor returned without calling next; it has to throw instead; nothing was sent`;
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

/** A lane of a batch, the order of a group and the checker of a transaction were chosen by these. */
function assertUnmoved(original: OutgoingMessage, given: OutgoingMessage): void {
  for (const field of ['topic', 'messageGroup', 'messageId'] as const) {
    if (given[field] === original[field]) continue;
    const text = `message to "${original.topic}": an interceptor changed ${field}, which has to stay; nothing was sent`;
    throw new UsageError('INTERCEPTOR_MOVED_MESSAGE', text, field);
  }
}
