// Checks what a writer and a reader saw of a broker that was killed repeatedly. Pure: facts in, violations out. Independent of the
// broker.

/** One fact. Facts are in the order in which they happened. */
export type CrashEvent =
  /** The writer began to send. `group`: the message group, if any. `half`: whether it is a half message. */
  | {
      readonly kind: 'began';
      readonly id: string;
      readonly group?: string;
      readonly half?: boolean;
      readonly dueAtMs?: number;
    }
  /** The answer to the writer; there is none if it was lost. */
  | { readonly kind: 'answered'; readonly id: string; readonly outcome: 'stored' | 'rejected' }
  /** The writer is about to end the transaction with this resolution. */
  | { readonly kind: 'ending'; readonly id: string; readonly resolution: 'commit' | 'rollback' }
  /** The end was answered with OK. */
  | { readonly kind: 'ended'; readonly id: string }
  | {
      readonly kind: 'delivered';
      readonly id: string;
      readonly queue: string;
      readonly offset: number;
      readonly atMs: number;
      /** Messages of one receive share it. */
      readonly receive: number;
    }
  /** The ack was answered with OK. */
  | { readonly kind: 'acked'; readonly id: string };

interface Fate {
  readonly group: string | undefined;
  readonly isHalf: boolean;
  readonly dueAtMs: number;
  answered: 'stored' | 'rejected' | undefined;
  ending: 'commit' | 'rollback' | undefined;
  isEnded: boolean;
  place: { readonly queue: string; readonly offset: number } | undefined;
  receive: number;
  isAcked: boolean;
}

type Delivered = Extract<CrashEvent, { kind: 'delivered' }>;

/**
 * @param history of a run whose reader continued until nothing was left
 * @param batchSize the most messages of a receive
 */
export function crashViolations(history: readonly CrashEvent[], batchSize: number): string[] {
  const fates = new Map<string, Fate>();
  const fullReceives = fullReceivesOf(history, batchSize);
  const groups = new Map<string, string[]>();
  const violations: string[] = [];
  for (const event of history) {
    if (event.kind === 'began') {
      fates.set(event.id, fateOf(event));
      if (event.group !== undefined) groups.set(event.group, [...(groups.get(event.group) ?? []), event.id]);
      continue;
    }
    const fate = fates.get(event.id);
    if (fate === undefined) violations.push(`${event.id} was ${event.kind} and never sent`);
    else {
      if (event.kind === 'delivered') {
        violations.push(...ofDelivery(event, fate, fates));
        const isAgain = fate.place !== undefined && fate.group !== undefined;
        if (isAgain && fullReceives.has(event.receive)) startOver(event, fates);
      }
      apply(event, fate);
    }
  }
  for (const [id, fate] of fates) violations.push(...ofEnd(id, fate));
  return [...violations, ...ofOrder(history, groups)];
}

function fateOf({ group, half = false, dueAtMs = 0 }: Extract<CrashEvent, { kind: 'began' }>): Fate {
  const unknown = {
    answered: undefined,
    ending: undefined,
    isEnded: false,
    place: undefined,
    receive: -1,
    isAcked: false,
  };
  return { group, isHalf: half, dueAtMs, ...unknown };
}

function apply(event: Exclude<CrashEvent, { kind: 'began' }>, fate: Fate): void {
  switch (event.kind) {
    case 'answered':
      fate.answered = event.outcome;
      break;
    case 'ending':
      fate.ending = event.resolution;
      break;
    case 'ended':
      fate.isEnded = true;
      break;
    case 'delivered':
      fate.place = event;
      fate.receive = event.receive;
      // An ordered message that was redelivered is open again, whatever was acked before.
      fate.isAcked = false;
      break;
    case 'acked':
      fate.isAcked = true;
  }
}

function ofDelivery(event: Delivered, fate: Fate, fates: ReadonlyMap<string, Fate>): string[] {
  const { id, atMs } = event;
  const violations: string[] = [];
  if (fate.answered === 'rejected') violations.push(`${id} was rejected and is there`);
  if (fate.isHalf && fate.ending !== 'commit') violations.push(`${id} was seen before its transaction was committed`);
  if (atMs < fate.dueAtMs) violations.push(`${id} came ${fate.dueAtMs - atMs} ms early`);
  if (fate.place !== undefined && (fate.place.queue !== event.queue || fate.place.offset !== event.offset)) {
    violations.push(`${id} is there twice`);
  }
  if (fate.isAcked && !(fate.group !== undefined && isBehindOpen(event, fates))) {
    violations.push(`${id} was delivered again after its ack`);
  }
  return violations;
}

function fullReceivesOf(history: readonly CrashEvent[], batchSize: number): ReadonlySet<number> {
  const sizes = new Map<number, number>();
  for (const event of history) {
    if (event.kind === 'delivered') sizes.set(event.receive, (sizes.get(event.receive) ?? 0) + 1);
  }
  return new Set([...sizes].filter(([, size]) => size >= batchSize).map(([receive]) => receive));
}

/** A receive that has no room for all that an ordered queue had handed out forgets the acks of the rest (as Apache RocketMQ 5.5.0). */
function startOver({ queue, offset }: Delivered, fates: ReadonlyMap<string, Fate>): void {
  for (const fate of fates.values()) {
    if (fate.place?.queue === queue && fate.place.offset > offset) fate.isAcked = false;
  }
}

/** An ordered queue is redelivered from its first message on that is not acked, in this receive too. */
function isBehindOpen({ queue, offset, receive }: Delivered, fates: ReadonlyMap<string, Fate>): boolean {
  for (const { place, isAcked, receive: last } of fates.values()) {
    if (place?.queue === queue && place.offset < offset && (!isAcked || last === receive)) return true;
  }
  return false;
}

function ofEnd(id: string, fate: Fate): string[] {
  const isSeen = fate.place !== undefined;
  if (fate.isHalf)
    return fate.ending === 'commit' && fate.isEnded && !isSeen ? [`${id} was committed and is lost`] : [];
  return fate.answered === 'stored' && !isSeen ? [`${id} was stored and is lost`] : [];
}

/** The messages of a group are sent one after the other, so they are first seen in that order. */
function ofOrder(history: readonly CrashEvent[], groups: ReadonlyMap<string, readonly string[]>): string[] {
  const rank = new Map<string, { group: string; at: number }>();
  for (const [group, ids] of groups) for (const [at, id] of ids.entries()) rank.set(id, { group, at });
  const furthest = new Map<string, { at: number; id: string }>();
  const seen = new Set<string>();
  const violations: string[] = [];
  for (const event of history) {
    if (event.kind !== 'delivered' || seen.has(event.id)) continue;
    seen.add(event.id);
    const place = rank.get(event.id);
    if (place === undefined) continue;
    const before = furthest.get(place.group);
    if (before !== undefined && before.at > place.at) violations.push(`${before.id} overtook ${event.id}`);
    else furthest.set(place.group, { at: place.at, id: event.id });
  }
  return violations;
}
