// Many messages in one call: how they are spread, and what became of each. One of them is sent by the pipeline.

import type { OutgoingMessage } from '../../protocol/model/message.js';
import { abortReason } from '../../support/abort.js';
import { type CallOptions, Deadline, withDeadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import { positive, positiveInteger } from '../../support/options.js';
import { NotSentError } from './not-sent-error.js';
import type { SendReceipt } from './send-receipt.js';

/** What became of one message of a batch. */
export type BatchOutcome =
  | { readonly status: 'sent'; readonly receipt: SendReceipt }
  /** As `send` would have thrown it: a RocketMQError's `outcome` says whether the message may be stored. */
  | { readonly status: 'failed'; readonly error: unknown };

/** A message that was found wrong before the batch, at its place. A class, so that no message is taken for one. */
export class RefusedMessage {
  constructor(
    readonly topic: string,
    readonly messageGroup: string | undefined,
    readonly error: unknown,
  ) {}
}

/** How a batch is sent. */
export interface BatchOptions extends CallOptions {
  /**
   * How long the whole batch may take; messages whose turn has not come some milliseconds before are not sent. Default: no end for all
   * together, while each message has the time of a single send (`requestTimeoutMs` × `maxAttempts`).
   */
  readonly timeoutMs?: number;
  /** How many messages are under way at once. Default 32. */
  readonly concurrency?: number;
}

const DEFAULT_CONCURRENCY = 32;
/** With less than this left a send would end before its answer: stored or not, nobody could tell. */
const LEAST_SEND_MS = 5;

/** What a batch needs of its producer. */
export interface BatchPort {
  /** How long the send of one message may take. */
  readonly sendTimeoutMs: number;
  /** @throws StateError once the producer closes */
  assertOpen(): void;
  /** Checks a message. @returns what sends it @throws UsageError */
  prepare(message: OutgoingMessage): SendPrepared;
}

/** Sends a message that was prepared. */
export type SendPrepared = (deadline: Deadline) => Promise<SendReceipt>;

/** A place in the batch with what is to be sent, or why not. */
interface Entry {
  readonly index: number;
  readonly message: OutgoingMessage | RefusedMessage;
  readonly checked:
    | { readonly kind: 'right'; readonly send: SendPrepared }
    | { readonly kind: 'wrong'; readonly error: unknown };
}

/**
 * Sends them all, those of one message group one after another; the outcomes are in the order given.
 * @throws UsageError that names the option
 */
export async function sendBatch(
  messages: readonly (OutgoingMessage | RefusedMessage)[],
  options: BatchOptions,
  port: BatchPort,
): Promise<BatchOutcome[]> {
  const concurrency = positiveInteger('concurrency', options.concurrency ?? DEFAULT_CONCURRENCY);
  const outcomes = new Array<BatchOutcome>(messages.length);
  const entries = messages.map((message, index): Entry => ({ index, message, checked: check(message, port) }));
  const whole = wholeDeadline(messages.length, options);
  const send: SendLater = (topic, prepared) => sendInTurn(topic, prepared, whole, options.signal, port);
  // One iterator for all: each takes the next lane when its own has come to its end.
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

type SendLater = (topic: string, send: SendPrepared) => Promise<SendReceipt>;

function wholeDeadline(count: number, { timeoutMs }: BatchOptions): Deadline | undefined {
  if (timeoutMs === undefined) return undefined;
  return new Deadline(`batch of ${count} messages`, positive('timeoutMs', timeoutMs));
}

/** One message whose turn has come, unless the batch is over by then. */
async function sendInTurn(
  topic: string,
  send: SendPrepared,
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
  if (whole !== undefined && leftMs < LEAST_SEND_MS) {
    const text = `${what}: the batch did not come to it within ${whole?.timeoutMs} ms; nothing was sent`;
    throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
  }
  // A deadline of its own, which knows whether anything of this message was under way.
  return withDeadline(what, Math.min(leftMs, port.sendTimeoutMs), signal, send);
}

function check(message: OutgoingMessage | RefusedMessage, port: BatchPort): Entry['checked'] {
  if (message instanceof RefusedMessage) return { kind: 'wrong', error: message.error };
  try {
    return { kind: 'right', send: port.prepare(message) };
  } catch (error) {
    return { kind: 'wrong', error };
  }
}

/** What must keep its order is one lane: the messages of one group on one topic. */
function lanesOf(entries: readonly Entry[]): Entry[][] {
  const lanes: Entry[][] = [];
  const byGroup = new Map<string, Entry[]>();
  for (const entry of entries) {
    const { topic, messageGroup } = entry.message;
    const key = messageGroup === undefined ? undefined : JSON.stringify([topic, messageGroup]);
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
    if (checked.kind === 'wrong') outcome = { status: 'failed', error: checked.error };
    else if (failure !== undefined) outcome = { status: 'failed', error: stopped(message, failure.error) };
    else outcome = await outcomeOf(send(message.topic, checked.send));
    outcomes[index] = outcome;
    if (outcome.status === 'failed') failure ??= outcome;
  }
}

async function outcomeOf(sending: Promise<SendReceipt>): Promise<BatchOutcome> {
  try {
    return { status: 'sent', receipt: await sending };
  } catch (error) {
    return { status: 'failed', error };
  }
}

function stopped({ topic, messageGroup }: Entry['message'], cause: unknown): NotSentError {
  const text = `message to "${topic}": an earlier message of group "${messageGroup}" in this batch failed`;
  return new NotSentError('EARLIER_MESSAGE_FAILED', text, { cause });
}
