// Executes a plan, one group of faults after the other, and measures how soon traffic flows again after each.

import { setTimeout as sleep } from 'node:timers/promises';
import type { AppLink } from './app-link.js';
import { describeFault, type FaultGroup, type PlannedFault } from './fault-plan.js';
import type { Victim } from './servers.js';

/** The run fails if traffic does not flow again within this time. */
export const RECOVERY_DEADLINE_MS = 60_000;

/** A group of faults that has ended. */
export interface InjectedFaults {
  readonly faults: readonly PlannedFault[];
  /** The time from the end of its last fault until an order placed after it was reserved; undefined if that took too long. */
  readonly recoveryMs: number | undefined;
  /** The part of it that stopped processes needed to be ready again; 0 if none was down. */
  readonly readyMs: number;
}

export interface FaultTargets {
  readonly victims: ReadonlyMap<string, Victim>;
  readonly links: ReadonlyMap<string, AppLink>;
  /** Resolves with the moment of the first order reserved, by performance.now(). */
  readonly flows: (timeoutMs: number, signal: AbortSignal) => Promise<number | undefined>;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Stops early if traffic does not flow again. */
export async function injectAll(faultGroups: readonly FaultGroup[], targets: FaultTargets): Promise<InjectedFaults[]> {
  const injected: InjectedFaults[] = [];
  for (const { pauseMs, faults } of faultGroups) {
    await sleep(pauseMs, undefined, { signal: targets.signal });
    const ended = await Promise.all(faults.map((fault) => inject(fault, targets)));
    const endedAtMs = Math.max(...ended.map((one) => one.endedAtMs));
    const ready = Promise.all(ended.map(({ readyAtMs }) => readyAtMs));
    const [reservedAtMs, readyAtMs] = await Promise.all([targets.flows(RECOVERY_DEADLINE_MS, targets.signal), ready]);
    targets.signal.throwIfAborted();
    const recoveryMs = reservedAtMs === undefined ? undefined : reservedAtMs - endedAtMs;
    const readyMs = Math.max(0, Math.max(...readyAtMs) - endedAtMs);
    injected.push({ faults, recoveryMs, readyMs });
    targets.log(`${faults.map(describeFault).join(' + ')}: ${describeRecovery(recoveryMs, readyMs)}`);
    if (recoveryMs === undefined) break;
  }
  return injected;
}

function describeRecovery(recoveryMs: number | undefined, readyMs: number): string {
  if (recoveryMs === undefined) return `traffic does not flow again within ${RECOVERY_DEADLINE_MS / 1_000} s`;
  const start = readyMs === 0 ? '' : `, ${seconds(readyMs)} of it to start`;
  return `traffic flows again after ${seconds(recoveryMs)}${start}`;
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1_000).toFixed(1)} s`;
}

/** A finished fault. Times are those of performance.now(). */
interface EndedFault {
  readonly endedAtMs: number;
  /** Resolves when the stopped process is ready; at once if none was stopped. */
  readonly readyAtMs: Promise<number>;
}

async function inject(fault: PlannedFault, { victims, links, signal }: FaultTargets): Promise<EndedFault> {
  await sleep(fault.afterMs, undefined, { signal });
  switch (fault.kind) {
    case 'kill':
    case 'restart': {
      const victim = of(victims, fault.target);
      await (fault.kind === 'kill' ? victim.kill() : victim.terminate());
      await sleep(fault.kind === 'kill' ? fault.lengthMs : 0, undefined, { signal });
      const commandedAtMs = performance.now();
      const readyAtMs = victim.start().then(() => performance.now());
      // The code that awaits it gets the error, possibly later.
      readyAtMs.catch(() => {});
      return { endedAtMs: victim.isSlowToStart ? await readyAtMs : commandedAtMs, readyAtMs };
    }
    case 'stop': {
      const victim = of(victims, fault.target);
      victim.pause();
      try {
        await sleep(fault.lengthMs, undefined, { signal });
      } finally {
        victim.continue();
      }
      return endedNow();
    }
    default: {
      const link = of(links, fault.target);
      link.suffer(fault);
      await sleep(fault.lengthMs, undefined, { signal });
      link.heal();
      return endedNow();
    }
  }
}

function endedNow(): EndedFault {
  const endedAtMs = performance.now();
  return { endedAtMs, readyAtMs: Promise.resolve(endedAtMs) };
}

function of<T>(all: ReadonlyMap<string, T>, name: string): T {
  const found = all.get(name);
  if (found === undefined) throw new Error(`there is no ${name} in this run`);
  return found;
}
