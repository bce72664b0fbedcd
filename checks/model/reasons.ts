// Why a message may be handled again, or beside another one of its message group.

import type { Fact, Fault } from './facts.js';
import { LEASE_MS } from './member-options.js';
import type { Run } from './runs.js';
import type { Sends } from './sends.js';

/** Why a message was handled although it, or an earlier one of its message group, was in another handler or had been handled. */
export type Reason =
  /** Its send was repeated after an attempt that may have stored it, so there are two copies. */
  | 'stored twice'
  /** The consumer reported that it might be redelivered. */
  | 'reported'
  /** The consumer reported one before it of its queue: a broker redelivers an ordered queue from the first message that is not settled. */
  | 'behind reported'
  /** The consumer was killed before its acknowledgment could be confirmed. */
  | 'consumer killed'
  /** The consumer was stopped for longer than what was left of the lease. */
  | 'consumer stopped'
  /** A broker was killed that kept acknowledgments and leases in memory. */
  | 'broker killed'
  /** A broker was stopped, and leases ended before it could read what had been sent to it, or had waited in it. */
  | 'broker stopped';

export const REASONS = [
  'stored twice',
  'reported',
  'behind reported',
  'consumer killed',
  'consumer stopped',
  'broker killed',
  'broker stopped',
] as const satisfies readonly Reason[];

/** How long an acknowledgment may take that nothing disturbs, on a busy machine. */
const ACK_MS = 5_000;
/**
 * How long a broker keeps in memory only how far an ordered group has read, see `flushConsumerOffsetInterval`, and the acknowledgments of an
 * ordinary one, see `popCkStayBufferTime` and its scan.
 */
const KEPT_IN_MEMORY_MS = { ordered: 6_000, plain: 15_000 } as const;
/**
 * The acknowledgments of an ordinary group wait in the broker until the lease ends. It redelivers what it has not read by then, this long after the
 * end: see `PopReviveService`, which goes by the time of day, also after a stop.
 */
const REVIVED_AFTER_MS = 2_000;

/** `diedAtMs` is when a process that was killed was certainly gone. */
interface DatedFault extends Fault {
  readonly diedAtMs: number;
}

function deathOf({ target, fromMs }: Fault, facts: readonly Fact[]): number {
  const death = facts.find((fact) => fact.kind === 'died' && fact.by === target && fact.atMs >= fromMs);
  return death?.kind === 'died' ? death.atMs : fromMs;
}

/** Finds reasons in what was done to processes, and in what consumers reported. */
export class Reasons {
  private readonly doubts = new Set<string>();
  private readonly faults: readonly DatedFault[];
  private readonly runs = new Map<string, Run[]>();

  /** @param all of a consumer group */
  constructor(
    facts: readonly Fact[],
    faults: readonly Fault[],
    private readonly sends: Sends,
    private readonly all: readonly Run[],
  ) {
    // A kill explains more than a stop.
    this.faults = faults
      .map((fault) => ({ ...fault, diedAtMs: deathOf(fault, facts) }))
      .sort((a, b) => Number(b.what === 'kill') - Number(a.what === 'kill'));
    for (const run of all) this.runs.set(run.id, [...(this.runs.get(run.id) ?? []), run]);
    for (const fact of facts) {
      if (fact.kind === 'doubted' && fact.of === all[0]?.of) this.doubts.add(`${fact.by} ${fact.id}`);
    }
  }

  /** Why a message is handled again that was handled before. */
  reasonOfRepetition(earlier: readonly Run[], repetition: Run): Reason | undefined {
    // Each copy may be handled once.
    const isCopy = earlier.length < this.copiesOf(repetition.id);
    if (isCopy && this.sends.mayBeStoredTwice(repetition.id, this.faults)) return 'stored twice';
    for (const run of earlier) {
      const reason = this.whyUnsettled(run, repetition.atMs);
      if (reason !== undefined) return reason;
    }
    return this.wasReadAgain(repetition) ? 'broker killed' : undefined;
  }

  /** Why a handler begins while another one of its message group runs. */
  whyBeside(other: Run, run: Run): Reason | undefined {
    return this.whyUnsettled(other, run.atMs);
  }

  /**
   * How many copies of a message were seen. The redeliveries of one have rising attempts, so those with the same attempt at several places are of
   * several copies, as are those on several brokers. So are those at several places of the topic itself: only retries have places of their own.
   */
  private copiesOf(id: string): number {
    const places = new Map<string, Map<number | 'topic', Set<string>>>();
    for (const { broker, messageId, attempt, isRetry, place } of this.runs.get(id) ?? []) {
      const key = `${broker} ${messageId}`;
      const sets = places.get(key) ?? new Map<number | 'topic', Set<string>>();
      places.set(key, sets);
      for (const of of isRetry ? [attempt] : [attempt, 'topic' as const])
        sets.set(of, (sets.get(of) ?? new Set()).add(`${isRetry} ${place}`));
    }
    const counts = [...places.values()].map((sets) => Math.max(...[...sets.values()].map(({ size }) => size)));
    return counts.reduce((sum, most) => sum + most, 0);
  }

  /**
   * Whether its broker was killed just after it had handed a message out to a handler that failed, or to nobody: a consumer that was gone, or an
   * answer that was lost with the broker. It has kept the lease, so it redelivers the message, and has forgotten how far the group had read, so it
   * hands it out again; or it has kept both the lease and what became of it, and redelivers the message for each, at several places.
   */
  private wasReadAgain({ id, of, broker, messageId }: Run): boolean {
    const runs = (this.runs.get(id) ?? []).filter((run) => run.broker === broker && run.messageId === messageId);
    return this.faults.some(({ what, target, fromMs, diedAtMs }) => {
      if (what !== 'kill' || target !== broker) return false;
      const before = runs.filter(({ atMs }) => atMs <= diedAtMs);
      const after = runs.filter(({ atMs }) => atMs > diedAtMs);
      const isBoth =
        after.some(({ isRetry }) => isRetry) && after.some(({ attempt, isRetry }) => attempt === 1 && !isRetry);
      // A lost acknowledgment brings it back only when its lease ends.
      const isForEach = after.some(
        (run, index) =>
          run.isRetry &&
          after
            .slice(0, index)
            .some(
              (one) =>
                one.attempt > run.attempt ||
                (one.place !== run.place && run.atMs - one.atMs < LEASE_MS && one.end === 'handled'),
            ),
      );
      const keptFromMs = fromMs - KEPT_IN_MEMORY_MS[of];
      const isLate =
        before.length === 0
          ? this.sends.beganWithin(id, keptFromMs, diedAtMs)
          : before.some(({ endsAtMs }) => endsAtMs >= keptFromMs);
      return (isBoth || isForEach) && isLate;
    });
  }

  private isDoubted({ by, id }: Run): boolean {
    return this.doubts.has(`${by} ${id}`);
  }

  private isBehindDoubted(run: Run, untilMs: number): boolean {
    if (run.of !== 'ordered') return false;
    const [queue, offset = 0] = run.place.split('/').map(Number);
    return this.all.some((one) => {
      if (one.by !== run.by || one.broker !== run.broker || !this.isDoubted(one)) return false;
      const [itsQueue, itsOffset = 0] = one.place.split('/').map(Number);
      return itsQueue === queue && itsOffset < offset && one.atMs >= run.atMs - LEASE_MS && one.atMs <= untilMs;
    });
  }

  /** Why a delivery that a handler had, or has, may not have been settled at a time. */
  private whyUnsettled(run: Run, untilMs: number): Reason | undefined {
    if (this.isDoubted(run)) return 'reported';
    if (this.isBehindDoubted(run, untilMs)) return 'behind reported';
    const ended = Math.min(run.endsAtMs, untilMs);
    for (const { what, target, fromMs, toMs, diedAtMs } of this.faults) {
      const isOwn = target === run.by;
      if (isOwn && what === 'kill' && diedAtMs >= run.atMs && fromMs <= ended + ACK_MS) return 'consumer killed';
      const isLong = toMs - fromMs >= LEASE_MS / 2;
      if (isOwn && what === 'stop' && isLong && fromMs <= ended + ACK_MS && toMs >= run.atMs) return 'consumer stopped';
      if (target !== run.broker) continue;
      if (
        what === 'kill' &&
        diedAtMs >= run.atMs - LEASE_MS &&
        fromMs <= Math.min(untilMs, ended + KEPT_IN_MEMORY_MS[run.of])
      ) {
        return 'broker killed';
      }
      if (what === 'stop' && fromMs <= ended + ACK_MS && toMs >= run.atMs) return 'broker stopped';
      if (what === 'stop' && run.of === 'plain' && untilMs >= toMs && isAround(run.atMs + LEASE_MS, { fromMs, toMs })) {
        return 'broker stopped';
      }
    }
    return undefined;
  }
}

/** Whether a broker was stopped while it looked for what had not been acknowledged. */
function isAround(leaseEndMs: number, { fromMs, toMs }: Pick<Fault, 'fromMs' | 'toMs'>): boolean {
  return fromMs <= leaseEndMs + REVIVED_AFTER_MS && toMs >= leaseEndMs;
}
