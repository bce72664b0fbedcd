// The trail of a message as spans of time: what happened, from when to when, and how we know.

import type { AppEvent, Attempt, Delivery, Message, Trail } from '../types.js';

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

export interface Lane {
  /** A consumer group; undefined: the producer and the broker. */
  readonly group?: string;
  readonly state?: string;
  readonly tone?: 'bad' | 'warn' | 'good';
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
      (one): Span => ({
        ...halfEnd(one, trail, ended.length === 0 ? undefined : Math.min(...ended), nowMs),
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

function storedText(one: Message, index: number): string {
  const isReplay = REPLAYED in one.properties || REPLAYED in one.systemProperties;
  if (isReplay) return 'Replayed, stored';
  return index === 0 ? 'Stored' : 'Stored again';
}

function groupLane(
  { consumerGroup, copies, retries, deadLetters }: Trail['groups'][number],
  { stored, inFlight = [], attempts: calls = [], events = [] }: Trail,
  nowMs: number,
): Lane {
  const held = inFlight.filter(({ group }) => group === consumerGroup);
  const seen = events.filter((one) => one.consumerGroup === consumerGroup);
  const own = calls.filter((one) => one.consumerGroup === consumerGroup);
  const lastCopyMs = copies.at(-1)?.storeTimestampMs ?? 0;
  const isHandledHere = own.some(({ error, endedAtMs }) => error === undefined && endedAtMs >= lastCopyMs);
  const lives = livesOf(retries, deadLetters);
  const attempts = lives.flatMap((life) => attemptsOf(life, nowMs));
  // A copy that was stored after all that is known of the group, such as that of a replay.
  const lastKnownMs = Math.max(0, ...[...retries, ...deadLetters].map(({ storeTimestampMs }) => storeTimestampMs));
  const later = copies.filter(({ storeTimestampMs }) => storeTimestampMs > lastKnownMs);
  const spans: Span[] = [
    ...attempts,
    ...untouched(later, held.length > 0, nowMs).filter((one) => one.evidence !== 'inferred' || !isHandledHere),
    ...held.map((one) => heldSpan(one, nowMs)),
    ...own.map(callSpan),
    ...seen.map(seenSpan),
    ...deadLetters.map(
      (one): Span => ({
        what: `Dead letter after ${one.reconsumeTimes} deliveries`,
        fromMs: one.storeTimestampMs,
        evidence: 'broker',
        proof: placeText(one),
        tone: 'bad',
      }),
    ),
  ];
  const state = stateOf({ copies, retries, deadLetters, isHeld: held.length > 0 });
  if (stored.length === 0) return { group: consumerGroup, spans, state: 'not delivered yet' };
  const sorted = spans.toSorted((left, right) => left.fromMs - right.fromMs);
  return { group: consumerGroup, spans: sorted, ...state };
}

type Retry = Trail['groups'][number]['retries'][number];

/** The deliveries of one copy, up to its dead letter. */
interface Life {
  readonly retries: readonly Retry[];
  readonly deadMs: number | undefined;
}

/** Several copies of an id may have been delivered to a group: the number of a delivery falls where the next copy begins. */
function livesOf(retries: readonly Retry[], deadLetters: readonly Message[]): readonly Life[] {
  const lives: { retries: Retry[]; deadMs: number | undefined }[] = [];
  const all = [...retries, ...deadLetters].toSorted((left, right) => left.storeTimestampMs - right.storeTimestampMs);
  for (const one of all) {
    const life = lives.at(-1);
    const isOver = life === undefined || life.deadMs !== undefined;
    if (isRetry(one)) {
      if (isOver || one.attempt <= (life.retries.at(-1)?.attempt ?? 0))
        lives.push({ retries: [one], deadMs: undefined });
      else life.retries.push(one);
    } else if (isOver) lives.push({ retries: [], deadMs: one.storeTimestampMs });
    else life.deadMs = one.storeTimestampMs;
  }
  return lives;
}

function isRetry(one: Retry | Message): one is Retry {
  return 'attempt' in one;
}

function attemptsOf({ retries, deadMs }: Life, nowMs: number): readonly Span[] {
  const firstMs = retries.find(({ firstReceivedMs }) => firstReceivedMs !== undefined)?.firstReceivedMs;
  const starts = [
    ...(firstMs === undefined ? [] : [{ attempt: 1, atMs: firstMs, isPassed: true, one: retries[0] }]),
    ...retries.map((one) => ({ attempt: one.attempt, atMs: one.storeTimestampMs, isPassed: one.isPassed, one })),
  ];
  return starts.map(({ attempt, atMs, isPassed, one }, index): Span => {
    const nextMs = starts[index + 1]?.atMs ?? deadMs;
    const isFailed = nextMs !== undefined && nextMs >= atMs;
    return {
      what: deliveryText(attempt, isPassed, isFailed, starts[index + 1] !== undefined),
      fromMs: atMs,
      toMs: isFailed ? nextMs : isPassed ? undefined : nowMs,
      evidence: 'broker',
      proof:
        attempt === 1 ? 'Its redelivery notes when it was first received' : one === undefined ? '' : placeText(one),
      tone: isPassed ? (isFailed ? undefined : 'good') : 'wait',
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

function seenSpan({ atMs, kind, text, reason }: AppEvent): Span {
  const isBad = kind.startsWith('dead') || kind.includes('fail');
  const proof = `An event of this instance: ${text}`;
  const words = reason === undefined ? kind : `${kind}: ${reason.replaceAll('-', ' ')}`;
  const what = words.slice(0, 1).toUpperCase() + words.slice(1);
  return { what, fromMs: atMs, evidence: 'application', proof, ...(isBad && { tone: 'bad' as const }) };
}

function deliveryText(attempt: number, isPassed: boolean, isFailed: boolean, isRetried: boolean): string {
  if (!isPassed) return `Delivery ${attempt} waits for a consumer`;
  if (!isFailed) return `Delivery ${attempt}`;
  return isRetried ? `Delivery ${attempt} failed, then backoff` : `Delivery ${attempt} failed`;
}

/** The servers keep no record of a delivery that succeeds: all that is known is that the group's position has passed it. */
function untouched(copies: Trail['groups'][number]['copies'], isHeld: boolean, nowMs: number): readonly Span[] {
  const last = copies.at(-1);
  if (last === undefined || isHeld) return [];
  const { storeTimestampMs: sinceMs } = last;
  if (!last.isPassed) {
    const proof = 'The position of the group has not reached it';
    return [{ what: 'Waits to be delivered', fromMs: sinceMs, toMs: nowMs, evidence: 'broker', proof, tone: 'wait' }];
  }
  const proof = 'The position of the group has passed it, and it waits in no retry queue';
  return [{ what: 'Handled, or filtered out', fromMs: sinceMs, evidence: 'inferred', proof, tone: 'good' }];
}

function stateOf(group: {
  readonly copies: Trail['groups'][number]['copies'];
  readonly retries: Trail['groups'][number]['retries'];
  readonly deadLetters: readonly Message[];
  readonly isHeld: boolean;
}): Pick<Lane, 'state' | 'tone'> {
  const { copies, retries, deadLetters, isHeld } = group;
  const isWaiting = [...copies, ...retries].some(({ isPassed }) => !isPassed);
  const lastDeadMs = deadLetters.at(-1)?.storeTimestampMs ?? 0;
  const lastCopyMs = copies.at(-1)?.storeTimestampMs ?? 0;
  if (isHeld) return { state: 'being handled', tone: 'warn' };
  if (isWaiting) return { state: 'waiting', tone: 'warn' };
  if (lastDeadMs > 0 && lastDeadMs >= lastCopyMs) return { state: 'dead letter', tone: 'bad' };
  if (copies.length === 0 && retries.length === 0) return { state: 'nothing to deliver' };
  return { state: 'handled', tone: 'good' };
}

function placeText({ broker, topic, queueId, queueOffset }: Message): string {
  return `${broker}: ${topic}, queue ${queueId}, offset ${queueOffset}`;
}
