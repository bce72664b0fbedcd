// The trail of a message as spans of time: what happened, from when to when, and how we know.

import type { AppEvent, Attempt, Delivery, Message, Trail } from '../types.js';
import { plural } from './format.js';
import { type Fate, fateOf, isOver, type LaneState, stateOf } from './trail-fate.js';
import { type Life, livesOf } from './trail-lives.js';

/** Who says so: a broker that has it stored, the producer's own clock, this application, or a conclusion from these. */
export type Evidence = 'broker' | 'producer' | 'application' | 'inferred';

export interface Span {
  readonly what: string;
  readonly fromMs: number;
  /** Undefined: a moment. */
  readonly toMs?: number;
  readonly evidence: Evidence;
  /** What the evidence is, in full. */
  readonly proof: string;
  readonly tone?: 'bad' | 'open' | 'good' | 'wait';
}

export interface Lane extends LaneState {
  /** A consumer group; undefined: the producer and the broker. */
  readonly group?: string;
  readonly spans: readonly Span[];
}

const REPLAYED = 'DEAD_LETTER_REPLAY';
const BODY_GONE = 'BODY_GONE';

export function mainCopy({ stored, delayed, halfMessages, givenUp }: Trail): Message | undefined {
  return stored.at(-1) ?? delayed.at(-1) ?? halfMessages.at(-1) ?? givenUp.at(-1);
}

/** @param nowMs the brokers' now */
export function lanesOf(trail: Trail, nowMs: number): readonly Lane[] {
  const groups = trail.groups.map((group) => groupLane(group, trail, nowMs));
  return [{ spans: ownSpans(trail, nowMs) }, ...groups];
}

function ownSpans(trail: Trail, nowMs: number): readonly Span[] {
  const { halfMessages, givenUp, delayed, recalls, stored } = trail;
  const all = [...halfMessages, ...delayed, ...stored, ...givenUp];
  const [first] = all.toSorted((left, right) => left.storeTimestampMs - right.storeTimestampMs);
  if (first === undefined) return [];
  const ended = [...stored, ...givenUp].map(({ storeTimestampMs }) => storeTimestampMs);
  return [
    {
      what: `Sent by ${first.bornHost}`,
      fromMs: first.bornTimestampMs,
      toMs: Math.max(first.bornTimestampMs, first.storeTimestampMs),
      evidence: 'producer',
      proof: 'From the producer’s clock to that of the broker',
    },
    ...halfMessages.map(
      (one, index): Span => ({
        ...(index === 0
          ? halfEnd(halfMessages.at(-1) ?? one, trail, ended.length === 0 ? undefined : Math.min(...ended), nowMs)
          : { what: checkText(one) }),
        fromMs: one.storeTimestampMs,
        evidence: 'broker',
        proof: placeText(one),
        tone: 'wait',
      }),
    ),
    ...givenUp.map(
      (one): Span => ({
        what: `Given up after ${one.properties.TRANSACTION_CHECK_TIMES ?? 'its'} checks`,
        fromMs: one.storeTimestampMs,
        evidence: 'broker',
        proof: placeText(one),
        tone: 'bad',
      }),
    ),
    ...delayed.map(
      (one): Span => ({
        what: 'Delayed until due',
        fromMs: one.storeTimestampMs,
        toMs: one.dueTimestampMs,
        evidence: 'broker',
        proof: placeText(one),
        tone: 'wait',
      }),
    ),
    ...recalls.map(
      (one): Span => ({
        what: 'Canceled',
        fromMs: one.storeTimestampMs,
        evidence: 'broker',
        proof: placeText(one),
        tone: 'bad',
      }),
    ),
    ...stored.map(
      (one, index): Span => ({
        what: `${storedText(one, index)} in queue ${one.queueId} at ${one.queueOffset}`,
        fromMs: one.storeTimestampMs,
        evidence: 'broker',
        proof: placeText(one),
        tone: 'good',
      }),
    ),
  ];
}

/** A server keeps a half message after its end, and does not say what that was. An embedded broker has no body of one that was rolled back. */
function halfEnd(
  one: Message,
  { inFlight }: Trail,
  endMs: number | undefined,
  nowMs: number,
): Pick<Span, 'what' | 'toMs'> {
  if (endMs !== undefined) return { what: 'Half message', toMs: endMs };
  const isEmbedded = inFlight !== undefined;
  if (!isEmbedded) return { what: 'Half message, open or rolled back' };
  if (BODY_GONE in one.properties || BODY_GONE in one.systemProperties) return { what: 'Half message, rolled back' };
  return { what: 'Half message, not yet ended', toMs: nowMs };
}

/** A server stores a half message again for each check. */
function checkText({ properties }: Message): string {
  const { TRANSACTION_CHECK_TIMES: checks = '0' } = properties;
  return checks === '0' ? 'Half message, stored again' : `Check ${checks} of the half message`;
}

function storedText(one: Message, index: number): string {
  const isReplay = REPLAYED in one.properties || REPLAYED in one.systemProperties;
  if (isReplay) return 'Replayed, stored';
  return index === 0 ? 'Stored' : 'Stored again';
}

function groupLane(
  group: Trail['groups'][number],
  { stored, inFlight, attempts: calls = [], events = [] }: Trail,
  nowMs: number,
): Lane {
  const { consumerGroup, copies, retries, deadLetters } = group;
  const held = inFlight?.filter((one) => one.group === consumerGroup) ?? [];
  const seen = events.filter((one) => one.consumerGroup === consumerGroup);
  const own = calls.filter((one) => one.consumerGroup === consumerGroup);
  const fate = fateOf(group, own, inFlight !== undefined, nowMs);
  const attempts = livesOf(retries, deadLetters).flatMap((life) => attemptsOf(life, fate, nowMs));
  // A copy that was stored after all that is known of the group, such as that of a replay.
  const lastKnownMs = Math.max(0, ...[...retries, ...deadLetters].map(({ storeTimestampMs }) => storeTimestampMs));
  const later = copies.filter(({ storeTimestampMs }) => storeTimestampMs > lastKnownMs);
  const spans: Span[] = [
    ...attempts,
    ...untouched(later, fate, held.length > 0, nowMs),
    ...held.map((one) => heldSpan(one, nowMs)),
    ...own.map(callSpan),
    ...(fate.kind === 'retry' ? [backoffSpan(fate.after, nowMs)] : []),
    ...seen.map(seenSpan),
    ...deadLetters.map(
      (one): Span => ({
        what: `Dead letter after ${plural(one.reconsumeTimes, 'delivery', 'deliveries')}`,
        fromMs: one.storeTimestampMs,
        evidence: 'broker',
        proof: placeText(one),
        tone: 'bad',
      }),
    ),
  ];
  if (stored.length === 0) return { group: consumerGroup, spans, state: 'not delivered yet' };
  const sorted = spans.toSorted((left, right) => left.fromMs - right.fromMs);
  return { group: consumerGroup, spans: sorted, ...stateOf(group, held, fate) };
}

function attemptsOf({ retries, deadMs }: Life, fate: Fate, nowMs: number): readonly Span[] {
  const firstMs = retries.find(({ firstReceivedMs }) => firstReceivedMs !== undefined)?.firstReceivedMs;
  const starts = [
    ...(firstMs === undefined ? [] : [{ attempt: 1, atMs: firstMs, isPassed: true, one: retries[0] }]),
    ...retries.map((one) => ({ attempt: one.attempt, atMs: one.storeTimestampMs, isPassed: one.isPassed, one })),
  ];
  return starts.map(({ attempt, atMs, isPassed, one }, index): Span => {
    const nextMs = starts[index + 1]?.atMs ?? deadMs;
    const isFailed = nextMs !== undefined && nextMs >= atMs;
    return {
      what: deliveryText({ attempt, isPassed, isFailed, isRetried: starts[index + 1] !== undefined, fate }),
      fromMs: atMs,
      toMs: isFailed ? nextMs : isPassed ? undefined : nowMs,
      evidence: 'broker',
      proof:
        attempt === 1 ? 'Its redelivery notes when it was first received' : one === undefined ? '' : placeText(one),
      tone: isPassed ? (isFailed || !isOver(fate) ? undefined : 'good') : 'wait',
    };
  });
}

function heldSpan({ state, attempt, clientId, atMs }: Delivery, nowMs: number): Span {
  const isHeld = state === 'held';
  return {
    what: isHeld ? `Delivery ${attempt}, held by ${clientId ?? 'a consumer'}` : `Waits for delivery ${attempt + 1}`,
    fromMs: Math.min(atMs, nowMs),
    toMs: Math.max(atMs, nowMs),
    evidence: 'broker',
    proof: isHeld ? 'Its lease, from now to its end' : 'When it is delivered again',
    tone: 'wait',
  };
}

function callSpan({ deliveryAttempt, startedAtMs, endedAtMs, error, next }: Attempt): Span {
  const isFailed = error !== undefined;
  return {
    what: `Delivery ${deliveryAttempt}, ${isFailed ? 'handler failed' : 'handled'}`,
    fromMs: startedAtMs,
    toMs: endedAtMs,
    evidence: 'application',
    proof: `A call of the handler in this instance${isFailed ? `: ${error}; then ${next}` : ''}`,
    tone: isFailed ? 'bad' : 'good',
  };
}

function backoffSpan({ deliveryAttempt, endedAtMs, retryAtMs = endedAtMs }: Attempt, nowMs: number): Span {
  return {
    what: `Waits for delivery ${deliveryAttempt + 1}`,
    fromMs: endedAtMs,
    toMs: Math.max(nowMs, retryAtMs),
    evidence: 'application',
    proof: 'The delay that this instance asked for when its handler failed',
    tone: 'wait',
  };
}

function seenSpan({ atMs, kind, text, reason }: AppEvent): Span {
  const isBad = kind.startsWith('dead') || kind.includes('fail');
  const proof = `An event of this instance: ${text}`;
  const words = reason === undefined ? kind : `${kind}: ${reason.replaceAll('-', ' ')}`;
  const what = words.slice(0, 1).toUpperCase() + words.slice(1);
  return { what, fromMs: atMs, evidence: 'application', proof, ...(isBad && { tone: 'bad' as const }) };
}

interface DeliveryEnd {
  readonly attempt: number;
  readonly isPassed: boolean;
  readonly isFailed: boolean;
  readonly isRetried: boolean;
  readonly fate: Fate;
}

function deliveryText({ attempt, isPassed, isFailed, isRetried, fate }: DeliveryEnd): string {
  if (!isPassed) return `Delivery ${attempt} waits for a consumer`;
  if (!isFailed) return fate.kind === 'unknown' ? `Delivery ${attempt}, its end is not known` : `Delivery ${attempt}`;
  return isRetried ? `Delivery ${attempt} failed, then backoff` : `Delivery ${attempt} failed`;
}

/** The servers keep no record of a delivery that succeeds: all that is known is that the group's position has passed it. */
function untouched(
  copies: Trail['groups'][number]['copies'],
  fate: Fate,
  isHeld: boolean,
  nowMs: number,
): readonly Span[] {
  const last = copies.at(-1);
  if (last === undefined || isHeld) return [];
  const { storeTimestampMs: fromMs } = last;
  if (!last.isPassed) {
    const proof = 'The position of the group has not reached it';
    return [{ what: 'Waits to be delivered', fromMs, toMs: nowMs, evidence: 'broker', proof, tone: 'wait' }];
  }
  if (fate.kind === 'unknown') {
    const what = 'Delivered; being handled, waiting, handled or filtered out';
    const proof = 'The position of the group has passed it. The brokers of a cluster do not report what became of it';
    return [{ what, fromMs, evidence: 'inferred', proof }];
  }
  if (fate.kind !== 'settled') return [];
  const proof = 'The position of the group has passed it, no consumer holds it, and it waits for no retry';
  return [{ what: 'Handled, or filtered out', fromMs, evidence: 'inferred', proof, tone: 'good' }];
}

function placeText({ broker, topic, queueId, queueOffset }: Message): string {
  return `${broker}: ${topic}, queue ${queueId}, offset ${queueOffset}`;
}
