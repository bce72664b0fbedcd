// Moves the time of a broker step by step: to each moment at which something is due, waiting until what happens there has happened.

import type { Clock } from '../../support/clock.js';
import { nextTurn } from '../../support/deadline.js';
import type { ConnectedClients } from '../connected-clients.js';
import { messageAt } from '../engine/views.js';
import { type DeliveryRecord, type GroupRecord, isOrdered, keys } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { Activity } from './activity.js';
import { untilQuiet } from './until-quiet.js';

/** The most moments that pass before other tasks of the event loop run. */
const STEPS_A_TURN = 256;
/** The most due events that pass before other tasks of the event loop run. */
const EVENTS_A_TURN = 1_024;
/** The most unsettled deliveries that one look examines, so that the broker keeps serving. */
const MAX_LOOKED_AT = 20_000;

/** A clock that can be moved forward. */
interface MovableClock extends Clock {
  /** When the next scheduled task is due; undefined if there is none. */
  nextDueAtMs(): number | undefined;
  /** Moves time forward to `atMs` and runs the tasks that become due. */
  advanceTo(atMs: number): void;
  /** How many tasks have run. */
  readonly ranTasks: number;
  /** The tracked work that has not ended. */
  activeWork(): readonly string[];
}

/** What moving its time needs of a broker. */
export interface SteppedBroker {
  readonly activity: Activity;
  readonly store: Store;
  readonly clients: Pick<ConnectedClients, 'has' | 'groupTopics'>;
  /** Whether woken long polls have not tried to receive yet. */
  isDispatching(): boolean;
  /** Whether a receive of the group is waiting for messages of the topic. */
  isPolled(topic: string, group: string): boolean;
  /** How often the broker has processed what was due, in one task on its clock each time. */
  ticks(): number;
  /** How many due events the broker has processed. */
  duePassed(): number;
}

/** How a step waits. */
export interface StepOptions {
  /** How long each step may take to become quiet, in milliseconds of real time. */
  readonly guardMs: number;
  /** Whether time also moves while consumers hold messages and tracked work continues. */
  readonly duringWork: boolean;
  /** What the error says after the work that continues. */
  advice(): string;
  /** Throws to end the wait. */
  assertWanted?(): void;
  /** Whether to stop between two steps, before the target. */
  isOver?(): boolean;
}

export class TimeSteps {
  /**
   * @param movable the clock, if it can be moved
   * @param isShared whether clients may have the same clock, so that a wait of theirs may be one for this clock
   * @param isOnClock whether clients do have it, as far as that can be seen
   */
  constructor(
    private readonly broker: SteppedBroker,
    private readonly clock: Clock,
    private readonly movable: MovableClock | undefined,
    private readonly isShared: boolean,
    private readonly isOnClock: () => boolean,
  ) {}

  /** Waits until everything that can happen now has happened. @throws StateError `NOT_QUIET` */
  async idle({ guardMs, duringWork, advice, assertWanted }: StepOptions): Promise<void> {
    const { activity } = this.broker;
    // Clients on a clock of their own may never stop to send.
    const ignoresNewCalls = duringWork && !this.isShared;
    const progress = (): number => (ignoresNewCalls ? 0 : activity.count);
    const probe = { blockers: () => this.blockers(duringWork), progress, advice };
    await untilQuiet({ ...probe, ...(assertWanted && { assertWanted }) }, guardMs);
  }

  /**
   * @returns whether the target was reached, and all that is due there has happened
   * @throws StateError `NOT_QUIET`; time has then passed as far as the clock shows
   */
  async advance(clock: MovableClock, targetMs: number, options: StepOptions): Promise<boolean> {
    await this.idle(options);
    const { activity } = this.broker;
    let begun = activity.count;
    let passed = this.broker.duePassed();
    const isBefore = (): boolean => clock.nowMs() < targetMs || this.isBehind(clock, targetMs);
    for (let steps = 1; isBefore(); steps++) {
      options.assertWanted?.();
      if (options.isOver?.() === true) return false;
      const isSilent = this.step(clock, Math.min(clock.nextDueAtMs() ?? targetMs, targetMs));
      if (isSilent && activity.count === begun && isBefore()) {
        if (steps % STEPS_A_TURN !== 0 && this.broker.duePassed() - passed < EVENTS_A_TURN) continue;
        passed = this.broker.duePassed();
        await nextTurn();
        continue;
      }
      await this.idle(options);
      begun = activity.count;
    }
    return true;
  }

  /** Real time passes as well, and makes something due while this is busy. A shared clock stands still. */
  private isBehind(clock: MovableClock, targetMs: number): boolean {
    return !this.isShared && (clock.nextDueAtMs() ?? Number.POSITIVE_INFINITY) <= targetMs;
  }

  /**
   * Moves time to a moment. @returns whether its only effects were immediate ones of the broker: messages that became
   * visible while nobody waited for them. Then there is nothing to wait for, and thousands of such moments pass quickly
   */
  private step(clock: MovableClock, atMs: number): boolean {
    const foreignTasks = clock.ranTasks - this.broker.ticks();
    clock.advanceTo(atMs);
    const isQuiet = clock.ranTasks - this.broker.ticks() === foreignTasks && this.blockers(true).length === 0;
    return isQuiet && !this.hasConsumerOnItsWay();
  }

  /** A consumer between two polls is not woken by a message that becomes visible: it needs a moment to poll again. */
  private hasConsumerOnItsWay(): boolean {
    const { clients, isPolled } = this.broker;
    return clients.groupTopics().some(({ topic, group }) => !isPolled(topic, group));
  }

  private calls(): { toString(): string }[] {
    const { activity, isDispatching } = this.broker;
    const calls: { toString(): string }[] = activity.labels().map((label) => `RPC in flight: ${label}`);
    if (isDispatching()) calls.push('a long poll about to get messages');
    return calls;
  }

  private blockers(duringWork: boolean): readonly { toString(): string }[] {
    const blockers = this.calls();
    // On a clock that runs, something is always about to be due; what is due up to the target has its own steps.
    if (this.movable !== undefined && this.isShared) {
      const dueAtMs = this.movable.nextDueAtMs();
      if (dueAtMs !== undefined && dueAtMs <= this.movable.nowMs()) blockers.push('a task that is due now');
    }
    if (duringWork) return blockers;
    return [...blockers, ...(this.movable?.activeWork() ?? []), ...this.held()];
  }

  /**
   * What consumers hold and have not renewed. A message of an ordered group does not count if clients have the clock: its consumer may be
   * waiting for its next attempt, or for the message before it, and the clock knows of handlers that run.
   */
  private held(): { toString(): string }[] {
    const { store, clients } = this.broker;
    const held: { toString(): string }[] = [];
    const ordered = new Map<string, boolean>();
    let looked = 0;
    for (const [key, value] of store.scan(keys.deliveries, { tolerant: true })) {
      if (++looked > MAX_LOOKED_AT) break;
      const { state, attempt } = (value as DeliveryRecord | undefined) ?? {};
      if (state?.kind !== 'leased' || state.changed) continue;
      const [, group, topic, queueId, offset] = key as [string, string, string, number, number];
      const isInOrder = ordered.get(group) ?? isOrdered(store.get(keys.group(group)) as GroupRecord);
      ordered.set(group, isInOrder);
      if (isInOrder && this.isOnClock()) continue;
      const { endsAtMs, holder = 'unknown' } = state;
      // A client that has left settles nothing any more: only time brings its messages back.
      if (state.holder !== undefined && !clients.has(holder)) continue;
      const nowMs = this.clock.nowMs();
      held.push({
        toString() {
          const message = messageAt(store, topic, queueId, offset);
          const lease = `lease until ${new Date(endsAtMs).toISOString()}, in ${endsAtMs - nowMs} ms`;
          const attempts = (message?.earlierAttempts ?? 0) + (attempt ?? 0);
          const what = `message ${message?.messageId} of topic ${topic}, attempt ${attempts}`;
          return `${what}, at a consumer of group ${group} (client ${holder}, ${lease})`;
        },
      });
    }
    return held;
  }
}
