// Many messages in one call: their concurrency, and the outcome of each. The pipeline sends each message.

import type { OutgoingMessage } from '../../protocol/model/message.js';
import { abortReason } from '../../support/abort.js';
import { type CallOptions, Deadline, withDeadline } from '../../support/deadline.js';
import { errorJson, TransportError } from '../../support/errors.js';
import { assertOptions, CALL_CHECKS, describe, positiveInteger, rejected } from '../../support/options.js';
import { isStored } from './durability.js';
import type { EncodingMessage } from './encoding-message.js';
import { NotSentError } from './not-sent-error.js';
import type { SendReceipt } from './send-request.js';
import { MIN_SEND_MS, orderKeyOf, orderText } from './send-turns.js';

/** The outcome of one message of a batch. */
export type BatchOutcome =
  | { readonly status: 'sent'; readonly receipt: SendReceipt }
  /** The error that `send` would have thrown: a RocketMQError's `outcome` says whether the message may be stored. */
  | { readonly status: 'failed'; readonly error: unknown };

/** The options of a batch. */
export interface BatchOptions extends CallOptions {
  /**
   * The timeout of the whole batch, in milliseconds; messages whose turn has not come a few milliseconds before its end are not sent.
   * Default: none for the batch; each message has the timeout of a single send (`requestTimeoutMs` × `maxAttempts`).
   */
  readonly timeoutMs?: number;
  /** How many messages are sent concurrently. Default 32. */
  readonly concurrency?: number;
}

const DEFAULT_CONCURRENCY = 32;

/** What a batch needs from its producer. */
interface BatchPort {
  /** The timeout of the send of one message, in milliseconds. */
  readonly sendTimeoutMs: number;
  /** @throws StateError once the producer closes */
  assertOpen(): void;
  /** Validates a message. @throws UsageError */
  prepare(message: OutgoingMessage | EncodingMessage): PreparedSend;
}

/** A message that was prepared. */
export interface PreparedSend {
  send(deadline: Deadline): Promise<SendReceipt>;
  /** Called once, when it was sent or will not be. */
  end(): void;
}

/** A place in the batch, with the message to send or the reason why it is not sent. */
interface Entry {
  readonly index: number;
  readonly message: OutgoingMessage | EncodingMessage;
  readonly checked:
    | { readonly kind: 'right'; readonly prepared: PreparedSend }
    | { readonly kind: 'wrong'; readonly error: unknown };
}

/**
 * Sends all messages, those of one message group one after another; the outcomes are in the given order.
 * @throws UsageError that names the option
 */
export async function sendBatch(
  messages: readonly (OutgoingMessage | EncodingMessage)[],
  options: BatchOptions,
  port: BatchPort,
): Promise<BatchOutcome[]> {
  if (!Array.isArray(messages)) throw rejected('messages', `must be a list of messages, not ${describe(messages)}`);
  assertOptions(options, BATCH_CHECKS);
  const { concurrency = DEFAULT_CONCURRENCY } = options;
  const outcomes = new Array<BatchOutcome>(messages.length);
  const whole = wholeDeadline(messages.length, options);
  // All take their turns now: what is called later is sent behind them.
  const entries = Array.from(messages, (message: OutgoingMessage | EncodingMessage, index): Entry => {
    // What is no message has no place. A list may have gaps.
    return { index, message: message ?? NO_MESSAGE, checked: check(message, port) };
  });
  const send: SendLater = (topic, prepared) => sendInTurn(topic, prepared, whole, options.signal, port);
  // A shared iterator: each worker takes the next lane when it has finished one.
  const lanes = lanesOf(entries).values();
  const worker = async (): Promise<void> => {
    for (const lane of lanes) await sendLane(lane, send, outcomes);
  };
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, messages.length) }, worker));
  } finally {
    whole?.dispose();
  }
  return outcomes;
}

const BATCH_CHECKS = { options: { ...CALL_CHECKS, concurrency: positiveInteger } };
const NO_MESSAGE: OutgoingMessage = { topic: '', body: '' };

type SendLater = (topic: string, prepared: PreparedSend) => Promise<SendReceipt>;

function wholeDeadline(count: number, { timeoutMs }: BatchOptions): Deadline | undefined {
  if (timeoutMs === undefined) return undefined;
  return new Deadline(count === 1 ? 'batch of one message' : `batch of ${count} messages`, timeoutMs);
}

/** Sends one message whose turn has come, unless the batch has ended by then. */
async function sendInTurn(
  topic: string,
  prepared: PreparedSend,
  whole: Deadline | undefined,
  signal: AbortSignal | undefined,
  port: BatchPort,
): Promise<SendReceipt> {
  port.assertOpen();
  const what = `send to "${topic}"`;
  if (signal?.aborted) {
    const text = `${what}: the caller aborted the batch before its turn; nothing was sent`;
    throw new TransportError('ABORTED', text, 'not-sent', false, { cause: abortReason(signal) });
  }
  const leftMs = whole?.remainingMs() ?? port.sendTimeoutMs;
  if (whole !== undefined && leftMs < MIN_SEND_MS) {
    const text = `${what}: the batch timed out after ${whole?.timeoutMs} ms, before its turn; nothing was sent`;
    throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
  }
  // Each message has its own deadline, which knows whether the message was in flight.
  return withDeadline(what, Math.min(leftMs, port.sendTimeoutMs), signal, (deadline) => prepared.send(deadline));
}

function check(message: OutgoingMessage | EncodingMessage, port: BatchPort): Entry['checked'] {
  try {
    return { kind: 'right', prepared: port.prepare(message) };
  } catch (error) {
    return { kind: 'wrong', error };
  }
}

/** Messages that must stay in order form one lane: those of one message group, or of one lite topic. */
function lanesOf(entries: readonly Entry[]): Entry[][] {
  const lanes: Entry[][] = [];
  const byGroup = new Map<string, Entry[]>();
  for (const entry of entries) {
    const key = orderKeyOf(entry.message);
    const known = key === undefined ? undefined : byGroup.get(key);
    if (known !== undefined) {
      known.push(entry);
      continue;
    }
    const lane = [entry];
    lanes.push(lane);
    if (key !== undefined) byGroup.set(key, lane);
  }
  return lanes;
}

async function sendLane(lane: readonly Entry[], send: SendLater, outcomes: BatchOutcome[]): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  for (const { index, message, checked } of lane) {
    let outcome: BatchOutcome;
    if (checked.kind === 'wrong') outcome = failed(checked.error);
    else if (failure !== undefined) outcome = failed(stopped(message, failure.error));
    else outcome = await outcomeOf(send(message.topic, checked.prepared));
    if (checked.kind === 'right') checked.prepared.end();
    outcomes[index] = outcome;
    // What is stored is in its order.
    if (outcome.status === 'failed' && !isStored(outcome.error)) failure ??= outcome;
  }
}

async function outcomeOf(sending: Promise<SendReceipt>): Promise<BatchOutcome> {
  try {
    return { status: 'sent', receipt: await sending };
  } catch (error) {
    return failed(error);
  }
}

/** Its JSON has the message of the error, too, which the JSON of an error of a hook or an interceptor lacks. */
function failed(error: unknown): BatchOutcome {
  const outcome = { status: 'failed', error } as const;
  const toJSON = () => ({ ...outcome, error: error instanceof Error ? errorJson(error) : error });
  return Object.defineProperty(outcome, 'toJSON', { value: toJSON });
}

function stopped(message: Entry['message'], cause: unknown): NotSentError {
  const text = `message to "${message.topic}": an earlier message of ${orderText(message)} in this batch failed`;
  return new NotSentError('EARLIER_MESSAGE_FAILED', text, { cause });
}
