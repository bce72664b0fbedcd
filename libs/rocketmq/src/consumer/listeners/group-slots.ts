// How many handlers of a listener may run at once over all instances of its group. It holds slots of the account of the group, which a store keeps, for as long as it
// renews them, and gives back what it does not need.
// Over 300 lines: when slots are asked for, held, lost and given back must be seen together.

import { type Abortable, AbortSource, onAbort } from '../../support/abort-source.js';
import { type ScheduledTask, SECOND_MS } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { type GroupLimiterParts, NOT_SOON_MS } from './group-limiter.js';
import { LimitState, STORE_RETRY_MS, STORE_TIMEOUT_MS } from './limit-state.js';
import type { Limiter } from './limiter.js';
import {
  type GrantedSlots,
  NO_SLOTS,
  SLOT_LEASE_MS,
  SLOT_RENEWAL_MS,
  type SlotAccount,
  withSlots,
} from './slot-account.js';
import { type SlotLimit, SlotUse } from './slot-use.js';

/** How long handlers have to end after their signal, before others may use their slots. */
const WARNING_MS = 2 * SECOND_MS;
/** How often an instance asks that may use no slot, and one that may use too few. */
const POLL_MS = SECOND_MS / 2;
const POLL_FOR_MORE_MS = 2 * SECOND_MS;
/** How long slots are kept without any use. */
const IDLE_MS = SECOND_MS / 2;
/** What waits for longer than this is released, if others may have it. */
const RELEASE_AFTER_MS = 5 * SECOND_MS;
/** How long the end waits for the store. */
const CLOSE_MS = 2 * SECOND_MS;

type Phase =
  | { readonly kind: 'resting' }
  /** `error`: the last request failed. */
  | { readonly kind: 'asking'; readonly error: string | undefined }
  | { readonly kind: 'failing'; readonly error: string; readonly againAtMs: number }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

/** When slots must be renewed, and when they are lost, by the clock of the consumer. */
interface SlotLease {
  readonly renewAtMs: number;
  readonly endsAtMs: number;
}

/** Limits the handlers of one listener together with those of other instances. */
export class GroupSlots implements Limiter {
  private phase: Phase = { kind: 'resting' };
  /** Undefined without slots. */
  private lease: SlotLease | undefined;
  /** Whether the store may know this instance. */
  private isKnown = false;
  private wantsMore = false;
  /** Whether the group had no more when this instance last asked. */
  private isGroupUsedUp = false;
  private fullSinceMs: number | undefined;
  private emptySinceMs = 0;
  private askedAtMs = 0;
  private losing = new AbortSource();
  private task: { readonly atMs: number; readonly timer: ScheduledTask } | undefined;
  private lapse: ScheduledTask | undefined;
  private readonly ended = new AbortController();
  private readonly use: SlotUse;
  private readonly state: LimitState<SlotAccount>;

  constructor(
    private readonly limit: SlotLimit,
    private readonly parts: GroupLimiterParts,
  ) {
    this.use = new SlotUse(limit);
    this.state = new LimitState(NO_SLOTS, parts);
    onAbort(parts.closing, () => {
      this.wantsMore = this.use.hasWaitingRuns;
      this.plan();
    });
  }

  get lost(): Abortable {
    return this.losing;
  }

  get problem(): string | undefined {
    const { phase } = this;
    const error = phase.kind === 'failing' || phase.kind === 'asking' ? phase.error : undefined;
    return this.lease === undefined ? error : undefined;
  }

  take(nowMs: number): number {
    this.passTime(nowMs);
    const isTaken = this.phase.kind !== 'closed' && this.use.take();
    if (!isTaken || this.use.room <= 0) this.want();
    return isTaken ? 0 : this.waitMs(nowMs);
  }

  begin(): void {}

  giveBack(): void {
    this.use.end();
    this.freed();
  }

  end(): void {
    this.giveBack();
  }

  waitMs(nowMs: number): number {
    if (this.use.room > 0) return 0;
    const isLate = this.fullSinceMs !== undefined && nowMs - this.fullSinceMs >= RELEASE_AFTER_MS;
    return isLate || this.problem !== undefined ? NOT_SOON_MS : RELEASE_AFTER_MS;
  }

  isUsedUp(nowMs: number): boolean {
    this.passTime(nowMs);
    if (this.problem !== undefined) return true;
    const { use } = this;
    return use.room <= 0 && !this.isIdle && use.isHeldBack && (this.isGroupUsedUp || !use.lacks);
  }

  waiting(listener: string, nowMs: number): string[] {
    if (!this.isUsedUp(nowMs)) return [];
    const { problem, limit, use } = this;
    const why = problem === undefined ? '' : `, since the store of limits does not answer: ${problem}`;
    return [
      `limited: ${listener}, to ${limit.most} handlers at once in the group, of which ${use.inUse} run here${why}`,
    ];
  }

  /** Without slots a poll asks for one message, so that it is known whether there is anything to begin. */
  startable(): number {
    return this.isIdle && this.phase.kind === 'resting' ? 1 : Math.max(0, this.use.room);
  }

  startableInMs(): number {
    return this.startable() > 0 ? 0 : STORE_TIMEOUT_MS;
  }

  watch(changed: () => void): () => void {
    return this.use.watch(changed);
  }

  /** Where batches get a place to run, in which each needs a slot as well. */
  runsIn(places: { acquire(): Promise<() => void> }): { acquire(): Promise<() => void> } {
    const mayRun = (): boolean => {
      this.passTime(this.parts.clock.monotonicMs());
      if (this.phase.kind === 'closed' || this.use.hasRun) return true;
      this.want();
      return false;
    };
    return {
      acquire: async () => {
        const leave = await places.acquire();
        const end = await this.use.run(mayRun, () => this.freed());
        return () => {
          end();
          leave();
        };
      },
    };
  }

  close(): Promise<void> {
    const { phase } = this;
    if (phase.kind === 'closed') return phase.closed;
    this.task?.timer.cancel();
    this.lapse?.cancel();
    this.ended.abort(new StateError('CLOSED', 'the consumer is closed'));
    const closed = this.isKnown && phase.kind !== 'failing' ? this.giveAllBack() : Promise.resolve();
    this.phase = { kind: 'closed', closed };
    this.use.lose();
    this.changed();
    return closed;
  }

  private async giveAllBack(): Promise<void> {
    const { key, logger } = this.parts;
    try {
      await this.request(CLOSE_MS, undefined, 0, 0);
    } catch (error) {
      const line = `the slots of a listener were not given back; others have them after ${SLOT_LEASE_MS} ms`;
      logger.warn(line, { key, error: describeError(error) });
    }
  }

  /** Whether it has no slots, and wants none. */
  private get isIdle(): boolean {
    return this.lease === undefined && !this.wantsMore;
  }

  private want(): void {
    const mayWant = !this.parts.closing.aborted || this.use.hasWaitingRuns;
    if (this.use.lacks && mayWant) this.wantsMore = true;
    this.noteRoom();
    this.plan();
  }

  private freed(): void {
    const { use } = this;
    if (this.isGroupUsedUp && use.room > 0 && !use.hasWaitingRuns) this.wantsMore = false;
    if (use.inUse === 0) this.emptySinceMs = this.parts.clock.monotonicMs();
    this.changed();
    this.plan();
  }

  /** Time may have passed that no timer has noticed, in a process that was suspended or blocked. */
  private passTime(nowMs: number): void {
    if (this.lease !== undefined && nowMs >= this.lease.endsAtMs) this.lose();
  }

  private lose(): void {
    const { losing, use, parts, limit } = this;
    this.lease = undefined;
    use.lose();
    this.losing = new AbortSource();
    this.wantsMore = !parts.closing.aborted || use.inUse > 0;
    const line = 'the slots of a listener were not renewed in time; the signals of its running handlers fire';
    parts.logger.error(line, { key: parts.key, running: use.inUse });
    const text = `the slots of listener ${limit.name} were not renewed in time, so other instances may use them`;
    losing.abort(new StateError('SLOT_LOST', text));
    this.changed();
    this.plan();
  }

  private plan(): void {
    const nowMs = this.parts.clock.monotonicMs();
    const atMs = this.nextAtMs(nowMs);
    if (atMs === Number.POSITIVE_INFINITY || (this.task !== undefined && this.task.atMs <= atMs)) return;
    this.task?.timer.cancel();
    const timer = this.parts.clock.schedule(Math.ceil(atMs - nowMs), () => this.onTime());
    this.task = { atMs, timer };
  }

  private onTime(): void {
    this.task = undefined;
    const nowMs = this.parts.clock.monotonicMs();
    this.passTime(nowMs);
    // A timer can be slightly early.
    if (this.nextAtMs(nowMs) - nowMs < 1) void this.ask(nowMs);
    else this.plan();
  }

  /** When to ask next. */
  private nextAtMs(nowMs: number): number {
    const { phase, use, lease } = this;
    if (phase.kind === 'failing') return phase.againAtMs;
    if (phase.kind !== 'resting') return Number.POSITIVE_INFINITY;
    if (use.hasSurplus) return nowMs;
    const { renewAtMs = Number.POSITIVE_INFINITY } = lease ?? {};
    const pollMs = use.mayUseAny ? POLL_FOR_MORE_MS : POLL_MS;
    if (this.wantsMore) return Math.min(renewAtMs, this.isGroupUsedUp ? this.askedAtMs + pollMs : nowMs);
    return use.inUse > 0 || lease === undefined ? renewAtMs : Math.min(renewAtMs, this.emptySinceMs + IDLE_MS);
  }

  private wanted(nowMs: number): number {
    const { use } = this;
    if (this.parts.closing.aborted) return use.needed;
    // Others give back a whole share at once.
    if (this.wantsMore) return this.isGroupUsedUp ? use.maxHere : use.more;
    return use.inUse === 0 && nowMs - this.emptySinceMs > IDLE_MS - 1 ? 0 : use.enough;
  }

  private async ask(nowMs: number): Promise<void> {
    const { phase, use, ended } = this;
    const before = phase.kind === 'failing' ? phase.error : undefined;
    const wanted = this.wanted(nowMs);
    const kept = use.keep(wanted);
    this.askedAtMs = nowMs;
    this.isKnown = true;
    this.phase = { kind: 'asking', error: before };
    try {
      const { result, nowMs: atMs, sentAtMs } = await this.request(STORE_TIMEOUT_MS, ended.signal, kept, wanted);
      if (ended.signal.aborted) return;
      if (before !== undefined) this.parts.logger.info('the store of limits answers again', { key: this.parts.key });
      this.phase = { kind: 'resting' };
      if (result.wasLost && this.lease !== undefined) this.lose();
      this.hold(result, wanted, sentAtMs - atMs);
    } catch (error) {
      if (!ended.signal.aborted) this.failed(describeError(error), before !== undefined);
    }
  }

  private request(timeoutMs: number, outer: AbortSignal | undefined, kept: number, wanted: number) {
    const { holder } = this.parts;
    return this.state.within(timeoutMs, outer, (signal) =>
      this.state.change(signal, (before, atMs) => {
        const { account, granted } = withSlots(before, atMs, this.limit.most, { holder, kept, wanted });
        return { state: account, result: granted };
      }),
    );
  }

  /** @param offsetMs what the clock of the consumer shows at most when that of the store shows 0 */
  private hold(granted: GrantedSlots, wanted: number, offsetMs: number): void {
    const { use } = this;
    const { count, allowed, untilMs } = granted;
    const renewAtMs = untilMs + offsetMs - SLOT_LEASE_MS + SLOT_RENEWAL_MS;
    const endsAtMs = untilMs + offsetMs - WARNING_MS;
    this.lease = count === 0 ? undefined : { renewAtMs, endsAtMs };
    if (!use.mayUseAny) this.emptySinceMs = this.parts.clock.monotonicMs();
    use.hold(granted);
    this.isKnown = count + wanted > 0;
    this.isGroupUsedUp = allowed < wanted;
    const isWaiting = this.wantsMore || (count === 0 && wanted > 0);
    this.wantsMore = isWaiting && use.lacks && (use.room <= 0 || use.hasWaitingRuns);
    this.watchLapse();
    this.changed();
    this.plan();
  }

  private failed(error: string, isRepeated: boolean): void {
    const { clock, key, logger } = this.parts;
    this.use.hold();
    if (!this.use.hasAny) this.lease = undefined;
    if (!isRepeated) {
      const what = this.lease === undefined ? 'handles nothing until it does' : 'loses its slots soon, unless it does';
      logger.error(`the store of limits does not answer; the listener ${what}`, { key, error });
    }
    this.phase = { kind: 'failing', error, againAtMs: clock.monotonicMs() + STORE_RETRY_MS };
    this.changed();
    this.plan();
  }

  private watchLapse(): void {
    this.lapse?.cancel();
    if (this.lease === undefined) return;
    const { clock } = this.parts;
    const inMs = Math.ceil(this.lease.endsAtMs - clock.monotonicMs());
    this.lapse = clock.schedule(inMs, () => this.passTime(clock.monotonicMs()));
  }

  private noteRoom(): void {
    if (this.use.room > 0 || this.isIdle) this.fullSinceMs = undefined;
    else this.fullSinceMs ??= this.parts.clock.monotonicMs();
  }

  private changed(): void {
    this.noteRoom();
    this.use.changed();
  }
}
