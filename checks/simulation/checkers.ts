// Checks the facts of a run. Pure: facts in, violations out.

import {
  ACK_MS,
  isAckRejected,
  isBehindDoubt,
  isDividedAnew,
  isExcused,
  isForgotten,
  isOverdue,
  isQueueReleased,
  isRejected,
  isReleased,
  meets,
} from './excuses.js';
import { byDelivery, type Facts, type HandlingFact } from './facts.js';

/** How long a call may last beyond its timeout. */
const OVERDUE_MS = 500;
/** A lease is renewed in time, and clients know its end as exactly as messages travel. */
const STALE_MS = 1_000;
/** How long after a pause of their group consumers may begin handlers. */
const PAUSED_MS = 30_000;
type Checker = (facts: Facts) => string[];

/** Each violation, as a sentence. */
export function violationsOf(facts: Facts): string[] {
  return CHECKERS.flatMap((check) => check(facts));
}

const CHECKERS: readonly Checker[] = [
  lost,
  ghosts,
  unexplainedOutcomes,
  overdueSends,
  unexplainedRepetitions,
  unseenDeliveries,
  staleDeliveries,
  pausedDeliveries,
  disorder,
  earlyDeaths,
  silentDeaths,
  disagreements,
  reconnections,
  ({ handlings }) => {
    const altered = handlings.filter(({ isAltered }) => isAltered);
    return altered.map(({ group, key }) => `altered: ${group} got something else than was sent as ${key}`);
  },
  slowCloses,
  failedStarts,
  ({ leaks }) => leaks.map((leak) => `left behind: ${leak}`),
  ({ uncaught }) => uncaught.map((error) => `nobody caught: ${error}`),
  ({ hanging }) => hanging.map((what) => `never ended: ${what}`),
  ({ peakUnpackedBytes, bufferBound }) =>
    peakUnpackedBytes > bufferBound
      ? [`${peakUnpackedBytes} bytes were unpacked at once, more than ${bufferBound}`]
      : [],
];

export function lost(facts: Facts): string[] {
  const done = new Set(
    facts.handlings.filter(({ end }) => end === 'done' || end === 'unsure').map(({ group, key }) => `${group} ${key}`),
  );
  for (const { group, key } of facts.dead) done.add(`${group} ${key}`);
  return facts.sends
    .filter(({ outcome, atMs, endMs }) => outcome === 'acknowledged' && !isForgotten(facts, atMs, endMs ?? atMs))
    .flatMap(({ key, topic }) => (facts.groupsOf[topic] ?? []).map((group) => ({ key, group })))
    .filter(({ key, group }) => !done.has(`${group} ${key}`))
    .map(({ key, group }) => `lost: ${key} was acknowledged, and ${group} has never handled it`);
}

export function ghosts({ sends, handlings }: Facts): string[] {
  const unsent = new Set(sends.filter(({ outcome }) => outcome === 'not-sent').map(({ key }) => key));
  const seen = new Set(handlings.map(({ key }) => key).filter((key) => unsent.has(key)));
  return [...seen].map((key) => `ghost: ${key} was delivered, though its send said "not-sent"`);
}

export function unexplainedOutcomes(facts: Facts): string[] {
  return facts.sends
    .filter(({ outcome }) => outcome !== 'acknowledged' && outcome !== 'under way')
    .filter((send) => !isOverdue(facts, send) && !isRejected(facts, send) && !isBehindDoubt(facts, send))
    .filter((send) => !isExcused(facts, [send.process], send.atMs, send.endMs ?? send.atMs))
    .map(({ key, outcome, error }) => `unexplained: the send of ${key} ended as "${outcome}" (${error})`);
}

/** A send ends within its timeout, whatever happens to the server. */
export function overdueSends(facts: Facts): string[] {
  return facts.sends.flatMap(({ key, process, atMs, endMs = atMs, timeoutMs }) => {
    const tookMs = endMs - atMs;
    const isPaused = facts.disturbances.some(
      (one) => one.kind === 'paused process' && meets(one, [process], atMs, endMs),
    );
    if (tookMs <= timeoutMs + OVERDUE_MS || isPaused) return [];
    return [`overdue: the send of ${key} took ${tookMs} ms of ${timeoutMs}`];
  });
}

export function unexplainedRepetitions(facts: Facts): string[] {
  const sends = new Map(facts.sends.map((send) => [send.key, send]));
  return [...byDelivery(facts.handlings)].flatMap(([what, handlings]) => {
    const first = handlings.find(({ end }) => end === 'done');
    const repetition = first && handlings.find(({ startMs }) => startMs > (first.endMs ?? 0));
    if (first === undefined || repetition === undefined) return [];
    const send = sends.get(first.key);
    const processes = [first.process, repetition.process, ...(send === undefined ? [] : [send.process])];
    const isSentTwice = send !== undefined && send.outcome !== 'acknowledged';
    const fromMs = send?.atMs ?? first.startMs;
    if (isSentTwice || isExcused(facts, processes, fromMs, (first.endMs ?? 0) + ACK_MS)) return [];
    if (send?.messageGroup !== undefined && isQueueReleased(facts, first, repetition.startMs)) return [];
    if (isAckRejected(facts, first) || isDividedAnew(facts, first, repetition)) return [];
    return [`repeated: ${what} was handled at ${first.endMs} by ${first.process}, and again at ${repetition.startMs}`];
  });
}

/** A delivery that no handler sees counts as an attempt. */
export function unseenDeliveries(facts: Facts): string[] {
  const sends = new Map(facts.sends.map((send) => [send.key, send]));
  const handlers = new Set(facts.handlings.map(({ process }) => process));
  const found = [...byDelivery(facts.handlings)].flatMap(([what, handlings]) => {
    const [first] = handlings;
    const send = first && sends.get(first.key);
    if (first === undefined || send === undefined || send.outcome !== 'acknowledged') return [];
    const unseen = handlings.find(({ attempt }, index) => attempt > 1 + index);
    if (unseen === undefined) return [];
    if (isReleased(facts.releases, send.atMs, unseen.startMs)) return [];
    if (isExcused(facts, [send.process, ...handlers], send.atMs, unseen.startMs)) return [];
    if (send.messageGroup !== undefined && isQueueReleased(facts, first, unseen.startMs)) return [];
    return [`unseen: ${what} came to ${unseen.process} at ${unseen.startMs} as attempt ${unseen.attempt}`];
  });
  const isRare = found.length <= facts.handlings.length / 20;
  return facts.isTight && isRare ? [] : found;
}

/**
 * A message that another process has got meanwhile is not handled any more: a later delivery has the next number. Handlers of ordered groups
 * count by themselves.
 */
export function staleDeliveries(facts: Facts): string[] {
  const sends = new Map(facts.sends.map((send) => [send.key, send]));
  // A broker that does not wait for its disk forgets deliveries when it dies.
  if (facts.forgotten.length > 0 || facts.pulls) return [];
  return [...byDelivery(facts.handlings)].flatMap(([what, handlings]) => {
    const send = sends.get(handlings[0]?.key ?? '');
    // A repeated send may be stored twice.
    if (send === undefined || send.messageGroup !== undefined || send.outcome !== 'acknowledged') return [];
    if (isExcused(facts, [send.process], send.atMs, send.endMs ?? send.atMs)) return [];
    return handlings.flatMap(({ attempt, process, startMs }, index) => {
      const later = handlings.slice(0, index).find((one) => one.attempt > attempt && one.startMs + STALE_MS < startMs);
      if (later === undefined) return [];
      const text = `came to ${process} at ${startMs} as attempt ${attempt}`;
      return [`stale: ${what} ${text}, and to ${later.process} at ${later.startMs} as attempt ${later.attempt}`];
    });
  });
}

/** A consumer of a paused group begins no handler once its polls are rejected, each of which ends within 20 s. */
export function pausedDeliveries(facts: Facts): string[] {
  return facts.pauses.flatMap(({ group, fromMs, untilMs }) => {
    if (isForgotten(facts, fromMs, untilMs)) return [];
    return facts.handlings
      .filter((one) => one.group === group && one.startMs > fromMs + PAUSED_MS && one.startMs < untilMs)
      .filter(({ process, startMs }) => !isExcused(facts, [process], fromMs, startMs))
      .map(({ key, process, startMs }) => {
        return `handled while paused: ${process} began ${key} for ${group} at ${startMs}, which was paused at ${fromMs}`;
      });
  });
}

/** The first end of several runs; a later one may end first. */
function firstEnd(handlings: readonly HandlingFact[]): number | undefined {
  const ends = handlings.filter(({ end }) => end === 'done').map(({ endMs = Number.POSITIVE_INFINITY }) => endMs);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/**
 * In a message group, a message is first handled after those whose sends had ended when its own began, and after those that its process has sent
 * before it.
 */
export function disorder(facts: Facts): string[] {
  const handlings = byDelivery(facts.handlings);
  const dead = new Set(facts.dead.map(({ key, group }) => `${key} for ${group}`));
  const ordered = facts.sends.filter(({ messageGroup, outcome, atMs, endMs }) => {
    return messageGroup !== undefined && outcome === 'acknowledged' && !isForgotten(facts, atMs, endMs ?? atMs);
  });
  return [...new Set(ordered.map(({ messageGroup }) => messageGroup))].flatMap((messageGroup) => {
    const sends = ordered.filter((send) => send.messageGroup === messageGroup);
    return (facts.groupsOf[sends[0]?.topic ?? ''] ?? []).flatMap((group) => {
      const steps = sends
        .filter(({ key }) => !dead.has(`${key} for ${group}`))
        .map(({ key, process, atMs, endMs = atMs }) => {
          const own = handlings.get(`${key} for ${group}`) ?? [];
          return { key, process, atMs, endMs, startMs: own[0]?.startMs, doneMs: firstEnd(own) };
        });
      return steps.flatMap(({ key, process, atMs, startMs = Number.POSITIVE_INFINITY }, place) => {
        const late = steps.find((step, index) => {
          const isEarlier = step.endMs < atMs || (step.process === process && index < place);
          return isEarlier && (step.doneMs ?? Number.POSITIVE_INFINITY) > startMs;
        });
        return late === undefined
          ? []
          : [`out of order: ${group} began ${key} at ${startMs}, ${late.key} ended at ${late.doneMs}`];
      });
    });
  });
}

export function earlyDeaths(facts: Facts): string[] {
  const handlings = byDelivery(facts.handlings);
  return (
    facts.dead
      .map(({ key, group }) => {
        const own = handlings.get(`${key} for ${group}`) ?? [];
        const delivered = Math.max(0, ...own.map(({ attempt }) => attempt));
        return { key, group, tried: own.filter(({ end }) => end === 'failed').length, delivered };
      })
      // A message whose handlers are always interrupted reaches the server's own limit.
      .filter(({ tried, delivered, group }) => {
        return tried < facts.maxAttempts && delivered < (facts.limited[group] ?? facts.attemptsOfServer) - 1;
      })
      .map(({ key, group, tried }) => {
        return `died too early: ${key} is a dead letter of ${group} after ${tried} of ${facts.maxAttempts} attempts`;
      })
  );
}

/** A message whose last attempt has failed is a dead letter that the listener's hook has seen. */
export function silentDeaths(facts: Facts): string[] {
  const announced = new Set(facts.announced.map(({ key, group }) => `${key} for ${group}`));
  const handlings = byDelivery(facts.handlings);
  return facts.dead.flatMap(({ key, group }) => {
    const last = handlings
      .get(`${key} for ${group}`)
      ?.find(({ attempt, end }) => attempt === facts.limited[group] && end === 'failed');
    if (last === undefined || announced.has(`${key} for ${group}`)) return [];
    if (isExcused(facts, [last.process], last.startMs, (last.endMs ?? last.startMs) + ACK_MS)) return [];
    return [`died silently: ${key} is a dead letter of ${group}, whose listener has not seen it`];
  });
}

/** A message of a transaction is visible if and only if its database transaction was committed. */
export function disagreements(facts: Facts): string[] {
  const seen = new Set(facts.handlings.map(({ key }) => key));
  const violations = facts.halves.map((key) => `undecided: the half message of ${key} is still there`);
  for (const transaction of facts.transactions) {
    const { key, transactionId, process, atMs, durationMs, error } = transaction;
    const isCommitted = transactionId !== undefined && facts.resolutions.get(transactionId) === 'commit';
    if (isCommitted && !seen.has(key) && !isForgotten(facts, atMs, transaction.endMs ?? Number.POSITIVE_INFINITY))
      violations.push(`missing: ${key} is in the database, and its message was not delivered`);
    if (!isCommitted && seen.has(key)) violations.push(`unfounded: ${key} was delivered, and is not in the database`);
    const isFenced = error === 'TRANSACTION_FENCED' || error === 'TRANSACTION_TOO_LONG';
    // The checked process gets the time of birth from the server, and compares it with its own clock.
    const isClockWrong = facts.disturbances.some((one) => one.only === 'fenced' && one.fromMs <= atMs + durationMs);
    if (isFenced && !isClockWrong && !isExcused(facts, [process], atMs, atMs + durationMs))
      violations.push(`fenced: ${key} (${error}) after ${durationMs} ms`);
  }
  return violations;
}

/** A close ends within the time of its options, unless the server is unreachable. */
export function slowCloses(facts: Facts): string[] {
  return facts.closes
    .filter(({ tookMs, limitMs }) => tookMs > limitMs)
    .filter(({ process, atMs, tookMs }) => !isExcused(facts, [process], atMs, atMs + tookMs))
    .map(({ process, tookMs, limitMs }) => `slow close: ${process} took ${tookMs} ms, more than ${limitMs}`);
}

/** A service starts, unless the server is unreachable. One that never does would prove nothing. */
export function failedStarts(facts: Facts): string[] {
  return facts.failedStarts
    .filter(({ process, fromMs, atMs }) => {
      // Its own end is none.
      const met = facts.disturbances.filter((one) => one.fromMs < atMs && one.only !== 'fenced');
      return !met.some((one) => meets(one, [process], fromMs, atMs));
    })
    .map(({ process, error }) => `not started: ${process} (${error})`);
}

/** A client opens no connection without a reason. */
export function reconnections(facts: Facts): string[] {
  const known = new Map<string, number>();
  return facts.connections.flatMap(({ process, atMs }) => {
    // An excused connection does not count against later ones.
    if (isExcused(facts, [process], atMs - 1, atMs)) return [];
    const count = (known.get(process) ?? 0) + 1;
    known.set(process, count);
    const reasons = facts.renewals.filter((one) => one.process === process && one.atMs <= atMs).length;
    if (count <= 1 + reasons) return [];
    return [
      `reconnected: ${process} began its connection number ${count} at ${atMs}, with ${reasons} reasons for another`,
    ];
  });
}
