// What excuses a behavior: disturbances that met it, and what servers do by their own rules.

import type { Disturbance, Facts, HandlingFact, SendFact } from './facts.js';

/** Acks are batched and retried, so the loss of one may take effect this long after the handler. */
export const ACK_MS = 40_000;
/** Longer than a round trip takes. */
const SHORT_MS = 1_000;
/** The effects of a disturbance last longer than itself: dead connections are detected and replaced, leases end. */
const AFTERMATH_MS = 45_000;

/** A broker that does not wait for its disk can lose what it has just acknowledged. */
export function isForgotten({ forgotten }: Facts, atMs: number, endMs: number): boolean {
  return forgotten.some(({ fromMs, untilMs }) => atMs <= untilMs && endMs >= fromMs);
}

/** Whether a disturbance affected one of the processes in that time. */
export function isExcused(
  { disturbances }: Pick<Facts, 'disturbances'>,
  processes: readonly string[],
  fromMs: number,
  untilMs: number,
): boolean {
  return disturbances.some((one) => one.only === undefined && meets(one, processes, fromMs, untilMs));
}

export function isRejected({ disturbances }: Facts, { outcome, process, atMs, endMs = atMs }: SendFact): boolean {
  if (outcome !== 'not-sent') return false;
  return disturbances.some((one) => one.only === 'not sent' && meets(one, [process], atMs, endMs));
}

export function meets(
  disturbance: Disturbance,
  processes: readonly string[],
  fromMs: number,
  untilMs: number,
): boolean {
  if (disturbance.fromMs > untilMs || disturbance.untilMs + AFTERMATH_MS < fromMs) return false;
  return disturbance.processes === undefined || processes.some((process) => disturbance.processes?.includes(process));
}

/** A call whose timeout, or what was left of it after it had waited for its broker, was shorter than a round trip. */
export function isOverdue(
  { disturbances }: Facts,
  { process, timeoutMs, atMs, endMs = atMs, error = '' }: SendFact,
): boolean {
  if (timeoutMs < SHORT_MS) return /DEADLINE|TIMEOUT|within|rejected the request/.test(error);
  const [, leftMs] = /did not finish within (\d+) ms/.exec(error) ?? [];
  const hasWaited = disturbances.some((one) => one.only === 'not sent' && meets(one, [process], atMs, endMs));
  return hasWaited && Number(leftMs) < SHORT_MS;
}

/** A call is rejected that waited behind one of its process in its message group whose outcome is unknown. */
export function isBehindDoubt({ sends }: Facts, send: SendFact): boolean {
  const { outcome, process, messageGroup, atMs, endMs = atMs } = send;
  if (outcome !== 'not-sent' || messageGroup === undefined) return false;
  return sends.slice(0, sends.indexOf(send)).some((one) => {
    const isBefore = one.process === process && one.messageGroup === messageGroup && one.outcome === 'unknown';
    return isBefore && one.endMs !== undefined && one.endMs >= atMs && one.endMs <= endMs;
  });
}

/** While streams are refused, an ack is repeated. A shutdown gives it up after its grace period, and says so; the message is redelivered. */
export function isAckRejected({ disturbances, releases }: Facts, { process, endMs = 0 }: HandlingFact): boolean {
  const isRejected = disturbances.some(
    ({ only, processes, fromMs, untilMs }) =>
      only === 'not sent' &&
      fromMs <= endMs + ACK_MS &&
      untilMs >= endMs &&
      (processes === undefined || processes.includes(process)),
  );
  return isRejected && isReleased(releases, endMs, endMs + ACK_MS);
}

/**
 * After a failed handler, and after a release by a shutdown, a server redelivers an ordered queue from the first message that is not
 * acknowledged, including later ones that are.
 */
export function isQueueReleased(
  { handlings, releases }: Facts,
  { group, startMs }: HandlingFact,
  untilMs: number,
): boolean {
  const fromMs = startMs - AFTERMATH_MS;
  const isThen = (endMs = Number.POSITIVE_INFINITY): boolean => endMs >= fromMs && endMs <= untilMs;
  if (isReleased(releases, fromMs, untilMs)) return true;
  return handlings.some((one) => one.group === group && one.end === 'failed' && isThen(one.endMs));
}

export function isReleased(releases: Facts['releases'], fromMs: number, untilMs: number): boolean {
  return releases.some((one) => one.fromMs <= untilMs && one.untilMs >= fromMs);
}

/**
 * Where consumers pull, a queue goes to another one when members come and go, from the lowest message on that is not settled: what is being handled
 * there, or waits for its next attempt, and what was settled behind it.
 */
export function isDividedAnew(
  { disturbances }: Facts,
  { endMs = 0 }: HandlingFact,
  { startMs }: HandlingFact,
): boolean {
  return disturbances.some(
    ({ only, fromMs, untilMs }) => only === 'divided anew' && fromMs <= startMs && untilMs >= endMs,
  );
}
