// What handlers of one consumer group saw and did, and what must not have happened. Pure: facts in, violations out. What the
// broker handed out is in delivery-history.ts.

/** A message was accepted by the broker, or something happened to it at a consumer, or to the consumer itself. */
export type ConsumptionEvent =
  | { readonly kind: 'sent'; readonly id: string; readonly messageGroup?: string }
  | { readonly kind: 'begun'; readonly id: string; readonly consumer: string }
  | { readonly kind: 'handled' | 'failed'; readonly id: string; readonly consumer: string }
  /** The consumer was told that the message, or the way it ended, may be lost. */
  | { readonly kind: 'doubted'; readonly id: string; readonly consumer: string }
  /** The broker holds it for no one any more, and no earlier message of its queue could bring it back. */
  | { readonly kind: 'certain'; readonly id: string }
  | { readonly kind: 'dead'; readonly id: string }
  /** Nothing is known of what this consumer did last. */
  | { readonly kind: 'crashed'; readonly consumer: string };

interface Fate {
  readonly messageGroup: string | undefined;
  /** Consumers whose handlers run, unless they were told that the message is no longer theirs. */
  readonly running: Set<string>;
  /** Consumers whose handlers run, told or not. */
  readonly active: Set<string>;
  /** Consumers that handled it last, without a doubt. */
  readonly done: Set<string>;
  isOver: boolean;
  isCertain: boolean;
}

/** What every group promises: nothing lost, nothing handled by two at once, nothing again after a certain end. */
export function consumptionViolations(history: readonly ConsumptionEvent[]): string[] {
  const violations: string[] = [];
  const fates = replay(history, ({ kind, id }, fate) => {
    if (kind !== 'begun') return;
    if (fate === undefined) violations.push(`${id} was handled without being sent`);
    else if (fate.isCertain) violations.push(`${id} was redelivered after its end was certain`);
    else if (fate.running.size > 0) violations.push(`${id} was handled by two at once`);
  });
  for (const [id, { isOver }] of fates) if (!isOver) violations.push(`${id} was lost`);
  return violations;
}

/** What an unordered group promises besides: what was handled is redelivered only if its consumer was told that it may. */
export function silentRepetitions(history: readonly ConsumptionEvent[]): string[] {
  const violations: string[] = [];
  replay(history, ({ kind, id }, fate) => {
    if (kind === 'begun' && fate !== undefined && fate.done.size > 0)
      violations.push(`${id} was redelivered without notice`);
  });
  return violations;
}

/**
 * What an ordered group promises besides: no handler begins before every earlier message of the message group is over, nor while
 * the same consumer still runs one of that group, though it may have lost that message.
 */
export function consumptionOrderViolations(history: readonly ConsumptionEvent[]): string[] {
  const violations: string[] = [];
  replay(history, (event, fate, fates) => {
    if (event.kind !== 'begun' || fate?.messageGroup === undefined) return;
    const { id, consumer } = event;
    const group = [...fates].filter(([, { messageGroup }]) => messageGroup === fate.messageGroup);
    for (const [other, { active }] of group) {
      if (active.has(consumer)) violations.push(`${id} was handled beside ${other}`);
    }
    for (const [other, { isOver }] of group.slice(
      0,
      group.findIndex(([name]) => name === id),
    )) {
      if (!isOver) violations.push(`${id} was handled before ${other}`);
    }
  });
  return violations;
}

type OfMessage = Exclude<ConsumptionEvent, { kind: 'sent' | 'crashed' }>;

/** Lets `judge` see each event together with what had become of its message before. Fates are in the order of sending. */
function replay(
  history: readonly ConsumptionEvent[],
  judge: (event: OfMessage, fate: Fate | undefined, fates: ReadonlyMap<string, Fate>) => void,
): ReadonlyMap<string, Fate> {
  const fates = new Map<string, Fate>();
  for (const event of history) {
    if (event.kind === 'sent') {
      const { messageGroup } = event;
      const consumers = { running: new Set<string>(), active: new Set<string>(), done: new Set<string>() };
      fates.set(event.id, { messageGroup, ...consumers, isOver: false, isCertain: false });
    } else if (event.kind === 'crashed') {
      for (const { running, active, done } of fates.values()) {
        for (const consumers of [running, active, done]) consumers.delete(event.consumer);
      }
    } else {
      const fate = fates.get(event.id);
      judge(event, fate, fates);
      if (fate !== undefined) apply(event, fate);
    }
  }
  return fates;
}

function apply(event: OfMessage, fate: Fate): void {
  switch (event.kind) {
    case 'begun':
      fate.running.add(event.consumer);
      fate.active.add(event.consumer);
      break;
    case 'handled':
      fate.active.delete(event.consumer);
      // One that was asked to release the message may have done the work; the message is redelivered all the same.
      if (fate.running.delete(event.consumer)) fate.done.add(event.consumer);
      fate.isOver = true;
      break;
    case 'failed':
      fate.active.delete(event.consumer);
      fate.running.delete(event.consumer);
      break;
    case 'doubted':
      fate.running.delete(event.consumer);
      fate.done.delete(event.consumer);
      break;
    case 'certain':
      fate.isCertain = true;
      break;
    case 'dead':
      fate.isOver = true;
  }
}
