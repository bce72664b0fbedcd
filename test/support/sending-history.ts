// What producers were told and what became visible, and what must not have happened. Pure: facts in, violations out.

/** One fact. Facts are in the order in which they came about. */
export type SendingEvent =
  /** A caller began to send. `group`: of an ordered message. */
  | { readonly kind: 'began'; readonly id: string; readonly group?: string | undefined }
  /** The caller was told; `stored` is a receipt. A caller that died was told nothing. */
  | { readonly kind: 'told'; readonly id: string; readonly outcome: Outcome }
  /** The database of the local transaction, or of its check, took this as its end. */
  | { readonly kind: 'decided'; readonly id: string; readonly resolution: 'commit' | 'rollback' }
  /** A consumer could have it from here on; once for each time. */
  | { readonly kind: 'visible'; readonly id: string };

type Outcome = 'stored' | 'not-sent' | 'rejected' | 'unknown';

interface Fate {
  outcome: Outcome | undefined;
  resolution: 'commit' | 'rollback' | undefined;
  seen: number;
}

/** What holds for messages without a transaction. */
export function sendViolations(history: readonly SendingEvent[]): string[] {
  const violations: string[] = [];
  const fates = replay(history, violations);
  for (const [id, { outcome, seen }] of fates) {
    if (outcome === 'stored' && seen === 0) violations.push(`${id} was told as stored and is lost`);
    if ((outcome === 'not-sent' || outcome === 'rejected') && seen > 0) {
      violations.push(`${id} was told as ${outcome} and is there`);
    }
  }
  return [...violations, ...orderViolations(history)];
}

/** What holds for half messages. `told` is of the half message: whether it was stored. */
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
      violations.push(`${id} was told as ${outcome} and is there`);
    }
  }
  return violations;
}

/** Of a group, whoever was stored before the next was begun is seen before it for the first time. */
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
    } else if (event.kind === 'told' && event.outcome === 'stored') stored.add(event.id);
    else if (event.kind === 'visible' && !seen.has(event.id)) {
      seen.add(event.id);
      for (const id of before.get(event.id) ?? []) if (!seen.has(id)) violations.push(`${event.id} overtook ${id}`);
    }
  }
  return violations;
}

type Known = Exclude<SendingEvent, { kind: 'began' }>;

/** Lets `judge` see each event together with what had become of its message before. */
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
    if (event.kind === 'told') fate.outcome = event.outcome;
    else if (event.kind === 'decided') fate.resolution = event.resolution;
    else fate.seen++;
  }
  return fates;
}
