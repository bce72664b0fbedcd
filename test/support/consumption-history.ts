// Checks the history of the handlers of one consumer group. Pure: facts in, violations out. Deliveries of the broker are checked in
// delivery-history.ts.

/** A message was accepted by the broker, or something happened to it at a consumer, or to the consumer itself. */
export type ConsumptionEvent =
  | { readonly kind: 'sent'; readonly id: string; readonly messageGroup?: string }
  | { readonly kind: 'begun'; readonly id: string; readonly consumer: string }
  | { readonly kind: 'handled' | 'failed'; readonly id: string; readonly consumer: string }
  /** The consumer was notified that the message, or its settlement, may be lost. */
  | { readonly kind: 'doubted'; readonly id: string; readonly consumer: string }
  /** The broker has settled it, and no earlier message of its queue can cause a redelivery. */
  | { readonly kind: 'certain'; readonly id: string }
  | { readonly kind: 'dead'; readonly id: string }
  /** The last actions of this consumer are unknown. */
  | { readonly kind: 'crashed'; readonly consumer: string };

interface Fate {
  readonly messageGroup: string | undefined;
  /** Consumers whose handlers run, unless they were notified that the lease is lost. */
  readonly running: Set<string>;
  /** Consumers whose handlers run, notified or not. */
  readonly active: Set<string>;
  /** Consumers that certainly handled it last. */
  readonly done: Set<string>;
  isOver: boolean;
  isCertain: boolean;
}

/** Guarantees of every group: no message is lost, handled twice at the same time, or redelivered after a confirmed settlement. */
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

/** Further guarantee of an unordered group: a handled message is redelivered only if its consumer was notified that it may be. */
export function silentRepetitions(history: readonly ConsumptionEvent[]): string[] {
  const violations: string[] = [];
  replay(history, ({ kind, id }, fate) => {
    if (kind === 'begun' && fate !== undefined && fate.done.size > 0)
      violations.push(`${id} was redelivered without notice`);
  });
  return violations;
}

/**
 * Further guarantees of an ordered group: no handler starts before every earlier message of the message group has ended, nor while
 * the same consumer still runs a handler of that group, even if it has lost that lease.
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

/** Calls `judge` with each event and the state of its message before the event. States are in the order of sending. */
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
      // A handler whose message was released may have done the work; the message is redelivered in any case.
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
