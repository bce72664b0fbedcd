// Checks the outcomes that producers reported against the messages that became visible. Pure: facts in, violations out.

/** One fact. Facts are in the order in which they happened. */
export type SendingEvent =
  /** A caller began to send. `group`: the message group, if any. */
  | { readonly kind: 'began'; readonly id: string; readonly group?: string | undefined }
  /** The outcome that was reported to the caller; `stored` is a receipt. There is none for a caller that died. */
  | { readonly kind: 'reported'; readonly id: string; readonly outcome: Outcome }
  /** The database of the local transaction, or of its check, stored this resolution. */
  | { readonly kind: 'decided'; readonly id: string; readonly resolution: 'commit' | 'rollback' }
  /** The message became visible; once for each time. */
  | { readonly kind: 'visible'; readonly id: string };

type Outcome = 'stored' | 'not-sent' | 'rejected' | 'unknown';

interface Fate {
  outcome: Outcome | undefined;
  resolution: 'commit' | 'rollback' | undefined;
  seen: number;
}

/** Guarantees for messages without a transaction. */
export function sendViolations(history: readonly SendingEvent[]): string[] {
  const violations: string[] = [];
  const fates = replay(history, violations);
  for (const [id, { outcome, seen }] of fates) {
    if (outcome === 'stored' && seen === 0) violations.push(`${id} was reported as stored and is lost`);
    if ((outcome === 'not-sent' || outcome === 'rejected') && seen > 0) {
      violations.push(`${id} was reported as ${outcome} and is there`);
    }
  }
  return [...violations, ...orderViolations(history)];
}

/** Guarantees for half messages. `reported` is about the half message: whether it was stored. */
export function transactionViolations(history: readonly SendingEvent[]): string[] {
  const violations: string[] = [];
  const fates = replay(history, violations, (event, fate) => {
    if (event.kind === 'visible' && fate.resolution === undefined) violations.push(`${event.id} was seen undecided`);
    if (event.kind === 'decided' && fate.resolution !== undefined && fate.resolution !== event.resolution) {
      violations.push(`${event.id} was decided both ways`);
    }
    if (event.kind === 'decided' && event.resolution === 'commit' && fate.outcome !== 'stored') {
      violations.push(`${event.id} was committed without its half message`);
    }
  });
  for (const [id, { outcome, resolution, seen }] of fates) {
    if (resolution === 'commit' && seen === 0) violations.push(`${id} was committed and is lost`);
    if (resolution === 'rollback' && seen > 0) violations.push(`${id} was rolled back and is there`);
    if (outcome === 'stored' && resolution === undefined) violations.push(`${id} was never decided`);
    if ((outcome === 'not-sent' || outcome === 'rejected') && (seen > 0 || resolution !== undefined)) {
      violations.push(`${id} was reported as ${outcome} and is there`);
    }
  }
  return violations;
}

/** In a message group, a message that was stored before the next send began is first seen before that one. */
function orderViolations(history: readonly SendingEvent[]): string[] {
  const violations: string[] = [];
  const before = new Map<string, Set<string>>();
  const stored = new Set<string>();
  const seen = new Set<string>();
  const groups = new Map<string, string>();
  for (const event of history) {
    if (event.kind === 'began' && event.group !== undefined) {
      groups.set(event.id, event.group);
      before.set(event.id, new Set([...stored].filter((id) => groups.get(id) === event.group)));
    } else if (event.kind === 'reported' && event.outcome === 'stored') stored.add(event.id);
    else if (event.kind === 'visible' && !seen.has(event.id)) {
      seen.add(event.id);
      for (const id of before.get(event.id) ?? []) if (!seen.has(id)) violations.push(`${event.id} overtook ${id}`);
    }
  }
  return violations;
}

type Known = Exclude<SendingEvent, { kind: 'began' }>;

/** Calls `judge` with each event and the state of its message before the event. */
function replay(
  history: readonly SendingEvent[],
  violations: string[],
  judge: (event: Known, fate: Fate) => void = () => {},
): ReadonlyMap<string, Fate> {
  const fates = new Map<string, Fate>();
  for (const event of history) {
    if (event.kind === 'began') {
      fates.set(event.id, { outcome: undefined, resolution: undefined, seen: 0 });
      continue;
    }
    const fate = fates.get(event.id);
    if (fate === undefined) {
      violations.push(`${event.id} was ${event.kind}, and nobody had sent it`);
      continue;
    }
    judge(event, fate);
    if (event.kind === 'reported') fate.outcome = event.outcome;
    else if (event.kind === 'decided') fate.resolution = event.resolution;
    else fate.seen++;
  }
  return fates;
}
