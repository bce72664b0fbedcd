// Checks the history of the messages of one topic in one group. Pure: facts in, violations out.

/** A message became visible, was delivered or settled, or its lease was changed or ended. */
export type DeliveryEvent =
  | { readonly kind: 'visible'; readonly id: string; readonly queueId: number; readonly offset: number }
  | {
      readonly kind: 'delivered';
      readonly id: string;
      /** Messages of one pop share it. */
      readonly pop: number;
      readonly attempt: number;
      /** In ordered groups, a second pop with the id of the first replaces its leases. */
      readonly attemptId?: string | undefined;
      readonly atMs: number;
      readonly leaseEndsAtMs: number;
      readonly receiptHandle: string;
    }
  | {
      readonly kind: 'leaseMoved';
      readonly id: string;
      readonly leaseEndsAtMs: number;
      /** The handle of the request, and the one that replaces it. */
      readonly by: string;
      readonly receiptHandle: string;
    }
  /** `by` is the handle of the request, or stands for the broker itself, which dead-lettered the message; `pop`: instead of handing it out. */
  | { readonly kind: 'settled'; readonly id: string; readonly by: string; readonly pop?: number };

interface Fate {
  readonly queueId: number;
  readonly offset: number;
  lease: { endsAtMs: number; receiptHandle: string; attemptId: string | undefined } | undefined;
  lastPop: number;
  settled: boolean;
}

/** Guarantees of every group: no message is delivered while invisible, leased twice, delivered too often, settled with an invalid handle, or lost. */
export function deliveryViolations(history: readonly DeliveryEvent[], maxAttempts: number): string[] {
  const violations: string[] = [];
  const fates = replay(history, (event, fate) => {
    if (event.kind === 'delivered') violations.push(...ofDelivery(event, fate, maxAttempts));
    else if (fate?.settled === false && event.by !== 'broker' && event.by !== fate.lease?.receiptHandle) {
      violations.push(`${event.id} was ${event.kind} by a dead handle`);
    }
  });
  for (const [id, { settled }] of fates) if (!settled) violations.push(`${id} was lost`);
  return violations;
}

function ofDelivery(event: Delivered, fate: Fate | undefined, maxAttempts: number): string[] {
  const violations: string[] = [];
  if (fate === undefined) violations.push(`${event.id} was delivered while invisible`);
  else if (!fate.settled && fate.lease !== undefined && event.atMs < fate.lease.endsAtMs) {
    const isRepeat = event.attemptId !== undefined && event.attemptId === fate.lease.attemptId;
    if (!isRepeat) violations.push(`${event.id} was leased twice`);
  }
  if (event.attempt > maxAttempts) violations.push(`${event.id} had attempt ${event.attempt}`);
  return violations;
}

/** Further guarantee of an unordered group: a settled message is never redelivered. */
export function unorderedViolations(history: readonly DeliveryEvent[]): string[] {
  const violations: string[] = [];
  replay(history, ({ kind, id }, fate) => {
    if (kind === 'delivered' && fate?.settled === true) violations.push(`${id} came back after it was settled`);
  });
  return violations;
}

/** Further guarantees of an ordered group: messages stay in order, and none before the first unsettled one is redelivered. */
export function orderedViolations(history: readonly DeliveryEvent[]): string[] {
  const violations: string[] = [];
  replay(history, (event, fate, fates) => {
    if (event.kind !== 'delivered' || fate === undefined) return;
    const { id, pop } = event;
    const earlier = [...fates].filter(([, other]) => other.queueId === fate.queueId && other.offset < fate.offset);
    const open = earlier.filter(([, other]) => !other.settled || other.lastPop === pop);
    for (const [name, { lastPop }] of open) if (lastPop !== pop) violations.push(`${id} overtook ${name}`);
    if (fate.settled && open.length === 0) violations.push(`${id} came back after all up to it was settled`);
  });
  return violations;
}

type Delivered = Extract<DeliveryEvent, { kind: 'delivered' }>;
type Judged = Exclude<DeliveryEvent, { kind: 'visible' }>;

/** Calls `judge` with each event and the state of its message before the event. */
function replay(
  history: readonly DeliveryEvent[],
  judge: (event: Judged, fate: Fate | undefined, fates: ReadonlyMap<string, Fate>) => void,
): ReadonlyMap<string, Fate> {
  const fates = new Map<string, Fate>();
  for (const event of history) {
    if (event.kind === 'visible') {
      const { queueId, offset } = event;
      fates.set(event.id, { queueId, offset, lease: undefined, lastPop: -1, settled: false });
      continue;
    }
    const fate = fates.get(event.id);
    judge(event, fate, fates);
    if (fate !== undefined) apply(event, fate);
  }
  return fates;
}

function apply(event: Judged, fate: Fate): void {
  switch (event.kind) {
    case 'delivered':
      fate.lease = { endsAtMs: event.leaseEndsAtMs, receiptHandle: event.receiptHandle, attemptId: event.attemptId };
      fate.lastPop = event.pop;
      fate.settled = false;
      break;
    case 'leaseMoved':
      fate.lease = {
        endsAtMs: event.leaseEndsAtMs,
        receiptHandle: event.receiptHandle,
        attemptId: fate.lease?.attemptId,
      };
      break;
    case 'settled':
      fate.settled = true;
      if (event.pop !== undefined) fate.lastPop = event.pop;
  }
}
