// What was sent, and what is known of it.

import type { Fact, Fault, GroupKind } from './facts.js';
import { REQUEST_TIMEOUT_MS } from './member-options.js';
import type { Run } from './runs.js';

export interface SendFigures {
  readonly sends: number;
  readonly stored: number;
  /** Sends without a certain outcome: reported as unknown, or their process died. */
  readonly uncertain: number;
  readonly rejected: number;
}

export class Sends {
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

  get figures(): SendFigures {
    const all = [...this.tries.values()].flat();
    const stored = all.filter(({ outcome }) => outcome === 'stored').length;
    const uncertain = all.filter(({ outcome }) => outcome === undefined || outcome === 'unknown').length;
    return { sends: all.length, stored, uncertain, rejected: all.length - stored - uncertain };
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
