// The time of a broker that can be moved ahead: what it is, what is due next, and moving it.

import { StateError } from '../../support/errors.js';
import { messageAt } from '../engine/views.js';
import { peek } from '../store/damaged-record.js';
import { type DeliveryRecord, type Due, dueOf, type HalfRecord, keys, type StoredMessage } from '../store/records.js';
import type { Store } from '../store/store.js';
import { MAX_ADVANCE_MS, type TimeTarget, type TimeTravel } from '../time/time-travel.js';
import type { ControlContext } from './control-context.js';
import type { Fields } from './control-input.js';
import { ControlRejection, illegal } from './control-rejection.js';
import type { AdvancedTime, DueEvent, TimeState } from './control-views.js';

/** The most due events that are listed. */
const MAX_DUE = 100;
const ANY_TIME = { from: 0, to: Number.MAX_SAFE_INTEGER };

export class TimeRequests {
  constructor(private readonly broker: ControlContext) {}

  time(): TimeState {
    const { offsetMs } = this.travel();
    const { clock, engine, store } = this.broker;
    const nextDueAtMs = engine.nextDueAtMs();
    const due: DueEvent[] = [];
    let dueMore = false;
    for (const [key] of store.scan(keys.dues, { tolerant: true })) {
      dueMore = due.length === MAX_DUE;
      if (dueMore) break;
      due.push({ atMs: key[1] as number, ...eventOf(store, dueOf(key)) });
    }
    return { nowMs: clock.nowMs(), offsetMs, ...(nextDueAtMs !== undefined && { nextDueAtMs }), due, dueMore };
  }

  /** By `byMs`, to `toMs`, or to what is due `next`. */
  async advance(fields: Fields): Promise<AdvancedTime> {
    const travel = this.travel();
    const target = this.targetIn(fields);
    const duringWork = fields.flag('duringWork') ?? false;
    fields.end();
    try {
      return await travel.advance(target, duringWork);
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      throw new ControlRejection(409, error.code, error.message.slice(`[${error.code}] `.length));
    }
  }

  private targetIn(fields: Fields): TimeTarget {
    const byMs = fields.count('byMs', { from: 0, to: MAX_ADVANCE_MS });
    const toMs = fields.count('toMs', ANY_TIME);
    const next = fields.flag('next');
    if (next === false) throw illegal('next', 'must be true, or absent');
    const given = [byMs, toMs, next].filter((value) => value !== undefined);
    if (given.length !== 1) throw new ControlRejection(400, 'ILLEGAL_ARGUMENT', 'give one of byMs, toMs and next');
    if (byMs !== undefined) return { byMs };
    return toMs === undefined ? { next: true } : { toMs: this.reachable(toMs) };
  }

  private reachable(toMs: number): number {
    const nowMs = this.broker.clock.nowMs();
    if (toMs < nowMs) throw illegal('toMs', `is before the time of the broker, ${nowMs}; time can only move ahead`);
    if (toMs - nowMs <= MAX_ADVANCE_MS) return toMs;
    throw illegal('toMs', `is more than ${MAX_ADVANCE_MS} ms after the time of the broker, ${nowMs}`);
  }

  private travel(): TimeTravel {
    const { travel } = this.broker;
    if (travel !== undefined) return travel;
    const cure =
      'start it with the option timeTravel or manualClock, on the command line --time-travel or --manual-clock';
    throw new ControlRejection(404, 'NO_TIME_TRAVEL', `the time of this broker cannot be moved; ${cure}`);
  }
}

function eventOf(store: Store, due: Due): Omit<DueEvent, 'atMs'> {
  if (due.kind !== 'lease') {
    const record = peek(store, due.key) as StoredMessage | HalfRecord | undefined;
    const message = record !== undefined && 'message' in record ? record.message : record;
    return { kind: due.kind, topic: due.key[1] as string, ...named(message) };
  }
  const { group, topic, queueId } = due.queue;
  const delivery = peek(store, keys.delivery(due.queue, due.offset)) as DeliveryRecord | undefined;
  const isChanged = delivery?.state.kind === 'leased' && delivery.state.changed;
  const message = messageAt(store, topic, queueId, due.offset);
  return { kind: isChanged ? 'retry' : 'lease', topic, ...named(message), consumerGroup: group };
}

function named(message: StoredMessage | undefined): Pick<DueEvent, 'messageId'> {
  return message === undefined ? {} : { messageId: message.messageId };
}
