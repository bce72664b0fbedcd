// Judges the facts of a run. Pure: facts in, violations and figures out.

import type { Fact, Fault, GroupKind } from './facts.js';
import { LEASE_MS, REQUEST_TIMEOUT_MS } from './member-options.js';

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

export interface Figures {
  readonly sends: number;
  readonly stored: number;
  /** Sends without a certain outcome: reported as unknown, or their process died. */
  readonly uncertain: number;
  readonly refused: number;
  readonly handled: number;
  readonly failed: number;
  /** Messages that were handled to their end more than once, by reason. */
  readonly repeated: ReadonlyMap<Reason, number>;
  /** Handlers that began while another process had their message or message group, by reason. */
  readonly overlapping: ReadonlyMap<Reason, number>;
}

export interface Verdict {
  readonly violations: readonly string[];
  readonly figures: Figures;
}

type Begun = Extract<Fact, { kind: 'begun' }>;

/** One run of a handler. `endsAtMs` is when it ended, or its process did. */
interface Run extends Begun {
  endsAtMs: number;
  end: 'handled' | 'failed' | 'died' | undefined;
}

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

export function judge(facts: readonly Fact[]): Verdict {
  const violations: string[] = [];
  const sends = new Sends(facts);
  const faults = facts.filter((fact) => fact.kind === 'fault');
  const repeated = new Map<Reason, number>();
  const overlapping = new Map<Reason, number>();
  let handled = 0;
  let failed = 0;
  for (const kind of ['ordered', 'plain'] as const) {
    const runs = runsOf(facts, kind);
    const ended = runs.filter(({ end }) => end === 'handled');
    handled += ended.length;
    failed += runs.filter(({ end }) => end === 'failed').length;
    const reasons = new Reasons(facts, faults, sends, runs);
    violations.push(...sends.lost(kind, new Set(ended.map(({ id }) => id))), ...sends.unsent(runs));
    if (kind === 'ordered') violations.push(...outOfOrder(runs), ...together(runs, reasons, overlapping));
    violations.push(...repetitions(ended, reasons, repeated));
  }
  return { violations, figures: { ...sends.figures, handled, failed, repeated, overlapping } };
}

/** The ids of a message group end with their number. */
export function groupOf(id: string): { readonly group: string; readonly number: number } {
  const at = id.lastIndexOf('.');
  return { group: id.slice(0, at), number: Number(id.slice(at + 1)) };
}

function runsOf(facts: readonly Fact[], of: GroupKind): Run[] {
  const runs: Run[] = [];
  const open = new Map<string, Run[]>();
  for (const fact of facts) {
    if (fact.kind === 'died') {
      for (const run of open.get(fact.by) ?? []) Object.assign(run, { endsAtMs: fact.atMs, end: 'died' });
      open.delete(fact.by);
    } else if (fact.kind === 'begun' && fact.of === of) {
      const run: Run = { ...fact, endsAtMs: Number.POSITIVE_INFINITY, end: undefined };
      runs.push(run);
      open.set(fact.by, [...(open.get(fact.by) ?? []), run]);
    } else if ((fact.kind === 'handled' || fact.kind === 'failed') && fact.of === of) {
      const own = open.get(fact.by) ?? [];
      const run = own.find(({ id }) => id === fact.id);
      if (run === undefined) continue;
      Object.assign(run, { endsAtMs: fact.atMs, end: fact.kind });
      open.set(
        fact.by,
        own.filter((one) => one !== run),
      );
    }
  }
  return runs;
}

/** What was sent, and what is known of it. */
class Sends {
  private readonly tries = new Map<string, { beganAtMs: number; endedAtMs: number; outcome: string | undefined }[]>();
  private readonly kinds = new Map<string, GroupKind>();

  constructor(facts: readonly Fact[]) {
    for (const fact of facts) {
      if (fact.kind === 'began') {
        this.kinds.set(fact.id, fact.group === undefined ? 'plain' : 'ordered');
        const attempt = { beganAtMs: fact.atMs, endedAtMs: Number.POSITIVE_INFINITY, outcome: undefined };
        this.tries.set(fact.id, [...(this.tries.get(fact.id) ?? []), attempt]);
      } else if (fact.kind === 'reported') {
        Object.assign(this.tries.get(fact.id)?.at(-1) ?? {}, { endedAtMs: fact.atMs, outcome: fact.outcome });
      }
    }
  }

  get figures(): Pick<Figures, 'sends' | 'stored' | 'uncertain' | 'refused'> {
    const all = [...this.tries.values()].flat();
    const stored = all.filter(({ outcome }) => outcome === 'stored').length;
    const uncertain = all.filter(({ outcome }) => outcome === undefined || outcome === 'unknown').length;
    return { sends: all.length, stored, uncertain, refused: all.length - stored - uncertain };
  }

  lost(of: GroupKind, handled: ReadonlySet<string>): string[] {
    return [...this.tries]
      .filter(([id, tries]) => this.kinds.get(id) === of && tries.some(({ outcome }) => outcome === 'stored'))
      .filter(([id]) => !handled.has(id))
      .map(([id]) => `${id} was stored and is lost`);
  }

  /** Messages that were handled although no send of theirs can have stored them. */
  unsent(runs: readonly Run[]): string[] {
    const seen = new Set(runs.map(({ id }) => id));
    return [...seen]
      .filter((id) => {
        const tries = this.tries.get(id);
        return tries === undefined || tries.every(({ outcome }) => outcome === 'not-sent' || outcome === 'rejected');
      })
      .map((id) => `${id} was handled, and no send reported that it might be stored`);
  }

  /** Whether there can be two copies: several sends that may have stored it, or one that the client repeated, during a fault or without an answer in time. */
  mayBeStoredTwice(id: string, faults: readonly Fault[]): boolean {
    const tries = this.tries.get(id) ?? [];
    if (tries.filter(({ outcome }) => outcome !== 'not-sent' && outcome !== 'rejected').length > 1) return true;
    return tries.some(
      ({ beganAtMs, endedAtMs }) =>
        endedAtMs - beganAtMs >= REQUEST_TIMEOUT_MS ||
        faults.some(({ fromMs, toMs }) => fromMs <= endedAtMs && toMs >= beganAtMs),
    );
  }

  /** Whether a send began within a time. */
  beganWithin(id: string, fromMs: number, toMs: number): boolean {
    return (this.tries.get(id) ?? []).some(({ beganAtMs }) => beganAtMs >= fromMs && beganAtMs <= toMs);
  }
}

/** In each message group, first completions are in the order of the numbers, and no handler begins before earlier messages are handled. */
function outOfOrder(runs: readonly Run[]): string[] {
  const violations: string[] = [];
  const firstEnds = new Map<string, number>();
  for (const run of [...runs].filter(({ end }) => end === 'handled').sort((a, b) => a.endsAtMs - b.endsAtMs)) {
    if (!firstEnds.has(run.id)) firstEnds.set(run.id, run.endsAtMs);
  }
  const latest = new Map<string, number>();
  for (const id of firstEnds.keys()) {
    const { group, number } = groupOf(id);
    const before = latest.get(group) ?? 0;
    if (number < before) violations.push(`${id} was first handled after ${group}.${before}`);
    else latest.set(group, number);
  }
  for (const { id, atMs } of runs) {
    const { group, number } = groupOf(id);
    if (number === 1) continue;
    const previous = firstEnds.get(`${group}.${number - 1}`);
    if (previous === undefined || previous > atMs)
      violations.push(`${id} began before ${group}.${number - 1} was handled`);
  }
  return violations;
}

/** Handlers of a message group that run at the same time. */
function together(runs: readonly Run[], reasons: Reasons, counts: Map<Reason, number>): string[] {
  const violations: string[] = [];
  const running = new Map<string, Run[]>();
  for (const run of runs) {
    const { group } = groupOf(run.id);
    const others = (running.get(group) ?? []).filter(({ endsAtMs }) => endsAtMs > run.atMs);
    running.set(group, [...others, run]);
    for (const other of others) {
      const reason = reasons.whyBeside(other, run);
      if (reason === undefined)
        violations.push(`${run.id} began in ${run.by} while ${other.id} was handled in ${other.by}`);
      else count(counts, reason);
    }
  }
  return violations;
}

/** Messages that were handled more than once. @param ended runs that were handled to their end */
function repetitions(ended: readonly Run[], reasons: Reasons, counts: Map<Reason, number>): string[] {
  const violations: string[] = [];
  const before = new Map<string, Run[]>();
  for (const run of ended) {
    const earlier = before.get(run.id) ?? [];
    before.set(run.id, [...earlier, run]);
    if (earlier.length === 0) continue;
    const reason = reasons.reasonOfRepetition(earlier, run);
    if (reason !== undefined) {
      count(counts, reason);
      continue;
    }
    const [first] = earlier as [Run];
    const times = `${first.by} attempt ${first.attempt}, then ${run.by} attempt ${run.attempt}, ${Math.round(run.atMs - first.endsAtMs)} ms later`;
    violations.push(`${run.id} was handled again without a reason: ${times}`);
  }
  return violations;
}

function count(counts: Map<Reason, number>, reason: Reason): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}

/** `diedAtMs` is when a process that was killed was certainly gone. */
interface DatedFault extends Fault {
  readonly diedAtMs: number;
}

function deathOf({ target, fromMs }: Fault, facts: readonly Fact[]): number {
  const death = facts.find((fact) => fact.kind === 'died' && fact.by === target && fact.atMs >= fromMs);
  return death?.kind === 'died' ? death.atMs : fromMs;
}

/** Finds reasons in what was done to processes, and in what consumers reported. */
class Reasons {
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
