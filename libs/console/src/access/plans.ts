// Changes in two steps: a plan that shows what would happen, and its execution by the viewer who asked for it.

import { randomBytes } from 'node:crypto';
import { ConsoleRejection } from '../http/exchange.js';
import type { ConsoleAction } from './audit.js';

/** How long a plan can be carried out. */
const PLAN_MS = 5 * 60_000;
const MAX_PER_VIEWER = 50;
/** Of all viewers: nobody can make the plans of others go. */
const MAX_PLANS = 1_000;

/** What a change would do, and what does it. */
export interface Change {
  readonly action: ConsoleAction;
  /** Whether it sends a body that the viewer wrote: then it needs `send` as well. */
  readonly isWritten?: boolean;
  /** What it is about, besides its topics. */
  readonly target: Readonly<Record<string, string>>;
  /** Those whose messages or groups it changes: the rule is asked about each. */
  readonly topics: readonly string[];
  /** What it consists of when its topics are not those of all of its target: the rule is asked about each of these instead. */
  readonly parts?: readonly Pick<Change, 'action' | 'target' | 'topics'>[];
  /** For the viewer: what would be done, what cannot, and who is affected. */
  readonly preview: unknown;
  /** What it is called; no two with a name in common run at a time. Default: it excludes none. */
  readonly exclusive?: readonly string[];
  /** @returns what was done, for the viewer */
  run(signal: AbortSignal): Promise<ChangeResult>;
}

export interface ChangeResult {
  readonly outcome: 'done' | 'partly';
  readonly text: string;
  readonly details: unknown;
}

/** What carrying it out needs: previews may be large. */
export type Planned = Omit<Change, 'preview'>;

/** What a rule decides about, and what the audit has. */
export interface Asked {
  readonly action: ConsoleAction;
  readonly target: Readonly<Record<string, string>>;
}

type About = Pick<Change, 'action' | 'isWritten' | 'target' | 'topics' | 'parts'>;

/** Each of these must be allowed. */
export function asksOf({ action, isWritten, target, topics, parts = [] }: About): readonly Asked[] {
  if (parts.length > 0) return parts.flatMap(asksOf);
  const actions: readonly ConsoleAction[] = isWritten ? [action, 'send'] : [action];
  const targets = topics.length === 0 ? [target] : topics.map((topic) => ({ ...target, topic }));
  return actions.flatMap((one) => targets.map((about) => ({ action: one, target: about })));
}

/** The same for a reader: `topic` has all of them, separated by spaces. */
export function wholeOf({ action, target, topics }: About): Asked {
  return { action, target: topics.length === 0 ? target : { ...target, topic: topics.join(' ') } };
}

interface Plan {
  readonly change: Planned;
  readonly viewer: string | undefined;
  readonly expiresAtMs: number;
}

export class Plans {
  private readonly plans = new Map<string, Plan>();

  /** @param nowMs monotonic time */
  constructor(private readonly nowMs: () => number) {}

  /** @returns the id of the plan, with which this viewer can carry it out once. @throws ConsoleRejection when too many are open */
  add(
    { preview: _, ...change }: Change,
    viewer: string | undefined,
  ): { readonly plan: string; readonly expiresInMs: number } {
    this.forgetExpired();
    const own = [...this.plans].filter(([, plan]) => plan.viewer === viewer);
    const [oldest] = own;
    if (own.length >= MAX_PER_VIEWER && oldest !== undefined) this.plans.delete(oldest[0]);
    else if (this.plans.size >= MAX_PLANS)
      throw new ConsoleRejection(
        503,
        'TOO_MANY',
        'too many changes are planned; nothing was changed; try again in 5 minutes',
      );
    const id = randomBytes(16).toString('base64url');
    this.plans.set(id, { change, viewer, expiresAtMs: this.nowMs() + PLAN_MS });
    return { plan: id, expiresInMs: PLAN_MS };
  }

  /** A plan that can still be carried out. */
  find(id: string): Plan | undefined {
    this.forgetExpired();
    return this.plans.get(id);
  }

  /** Takes a plan, which nobody can carry out again. @throws ConsoleRejection */
  take(id: string): Planned {
    const plan = this.find(id);
    if (plan === undefined) throw noPlan();
    this.plans.delete(id);
    return plan.change;
  }

  private forgetExpired(): void {
    const nowMs = this.nowMs();
    for (const [id, { expiresAtMs }] of this.plans) if (expiresAtMs <= nowMs) this.plans.delete(id);
  }
}

/** The same words for the plan of another viewer: its existence is nobody else's business. */
export function noPlan(): ConsoleRejection {
  const text = `there is no such plan: it was carried out, is older than 5 minutes, ${MAX_PER_VIEWER} newer ones were made, or another instance of the application made it, to which a load balancer must send this browser; nothing was changed now; plan again`;
  return new ConsoleRejection(409, 'NO_PLAN', text);
}
