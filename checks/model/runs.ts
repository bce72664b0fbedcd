// Runs of handlers, as the facts have them.

import type { Fact, GroupKind } from './facts.js';

type Begun = Extract<Fact, { kind: 'begun' }>;

/** One run of a handler. `endsAtMs` is when it ended, or its process did. */
export interface Run extends Begun {
  endsAtMs: number;
  end: 'handled' | 'failed' | 'died' | undefined;
}

export function runsOf(facts: readonly Fact[], of: GroupKind): Run[] {
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
