// Checks the facts of Nest applications. Pure: facts in, violations out.

import { ACK_MS, isExcused } from './excuses.js';
import type { NestFacts } from './nest-facts.js';

/** The groups of Nest applications. */
export const NEST_GROUPS = { manual: 'taskers', requests: 'answerers' } as const;
/** The maximum duration of a manual listener's handler, after which its decision has taken effect. */
export const MANUAL_TIMEOUT_MS = 5_000;
/** The time in which an answer arrives. */
const ANSWER_MS = 5_000;

/** Each violation, as a sentence. */
export function nestViolationsOf(facts: NestFacts): string[] {
  const checkers = [overruledDecisions, unansweredRequests, repeatedRequests, mistakenAnswers];
  return checkers.flatMap((check) => check(facts));
}

/** The first decision of a manual listener counts, however its handler ends. */
export function overruledDecisions(facts: NestFacts): string[] {
  const acks = facts.decisions.filter(({ decision }) => decision === 'ack');
  return acks.flatMap(({ key, process, atMs }) => {
    const handlings = facts.handlings.filter((one) => one.group === NEST_GROUPS.manual && one.key === key);
    const repetition = handlings.find(({ startMs }) => startMs > atMs);
    const send = facts.sends.find((one) => one.key === key);
    // A message with an unknown outcome may be stored twice.
    if (repetition === undefined || send?.outcome !== 'acknowledged') return [];
    const untilMs = Math.min(repetition.startMs, atMs + MANUAL_TIMEOUT_MS + ACK_MS);
    if (isExcused(facts, [process, repetition.process, send.process], send.atMs, untilMs)) return [];
    return [
      `overruled: ${process} acked ${key} at ${atMs}, and ${repetition.process} got it again at ${repetition.startMs}`,
    ];
  });
}

/** A request that was handled successfully is answered, or delivered again. */
export function unansweredRequests(facts: NestFacts): string[] {
  return facts.requests.flatMap(({ key, process, atMs, timeoutMs, endMs = atMs + timeoutMs, outcome, error }) => {
    if (outcome !== 'unanswered' && outcome !== 'abandoned' && outcome !== 'under way') return [];
    const last = answersTo(facts, key).at(-1);
    if (last?.end !== 'done' || last.endMs === undefined) return [];
    const arrivesMs = arrivalOf(facts, last.endMs);
    if (arrivesMs > endMs || isExcused(facts, [process, last.process], atMs, arrivesMs)) return [];
    const how = `${last.process} handled it by ${last.endMs}`;
    return [`unanswered: ${process} asked ${key}, ${how}, and no answer came until ${endMs} (${error ?? outcome})`];
  });
}

/** By when an answer arrives. Neither it nor a poll for it gets through while streams are refused, and a consumer polls when it is connected again. */
function arrivalOf({ disturbances }: NestFacts, sentMs: number): number {
  const rejections = disturbances.filter(({ only, untilMs }) => only === 'not sent' && untilMs >= sentMs);
  const inTurn = rejections.sort((one, other) => one.fromMs - other.fromMs);
  return inTurn.reduce(
    (byMs, { fromMs, untilMs }) => (fromMs <= byMs ? Math.max(byMs, untilMs + ANSWER_MS) : byMs),
    sentMs + ANSWER_MS,
  );
}

/** A request that was answered is not handled again. */
export function repeatedRequests(facts: NestFacts): string[] {
  return facts.requests.flatMap(({ key, process, atMs, endMs, outcome }) => {
    const answers = answersTo(facts, key);
    const first = answers.find(({ end }) => end === 'done');
    const repetition = answers.find(({ startMs }) => startMs > (first?.endMs ?? Number.POSITIVE_INFINITY));
    if (outcome !== 'answered' || first === undefined || repetition === undefined) return [];
    const untilMs = Math.max(endMs ?? atMs, (first.endMs ?? atMs) + ACK_MS);
    // The caller stopped waiting while the answer was in transit.
    if ((first.abandonedMs ?? Number.POSITIVE_INFINITY) <= (first.endMs ?? 0) + ANSWER_MS) return [];
    if (isExcused(facts, [process, first.process, repetition.process], atMs, untilMs)) return [];
    return [
      `asked twice: ${first.process} handled ${key} by ${first.endMs}, and ${repetition.process} again at ${repetition.startMs}`,
    ];
  });
}

/** Sorted by their start. */
function answersTo({ answers }: NestFacts, key: string): NestFacts['answers'] {
  return answers.filter((one) => one.key === key).sort((one, other) => one.startMs - other.startMs);
}

/** An answer belongs to its request. */
export function mistakenAnswers({ requests }: NestFacts): string[] {
  return requests
    .filter(({ outcome }) => outcome === 'mistaken')
    .map(({ key, process }) => `mistaken: ${process} asked ${key} and got the answer to something else`);
}
