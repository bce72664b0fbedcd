// Changes in two steps: a plan that shows what would happen, and its execution by the viewer who asked for it.

import { randomBytes } from 'node:crypto';
import { ConsoleRefusal } from '../http/exchange.js';
import type { ConsoleAction } from './audit.js';

/** How long a plan can be carried out. */
const PLAN_MS = 5 * 60_000;
const MOST_PLANS = 200;

/** What a change would do, and what does it. */
export interface Change {
  readonly action: ConsoleAction;
  readonly target: Readonly<Record<string, string>>;
  /** For the viewer: what would be done, what cannot, and who is affected. */
  readonly preview: unknown;
  /** @returns what was done, for the viewer */
  run(signal: AbortSignal): Promise<ChangeResult>;
}

export interface ChangeResult {
  readonly outcome: 'done' | 'partly';
  readonly text: string;
  readonly details: unknown;
}

interface Plan {
  readonly change: Change;
  readonly viewer: string | undefined;
  readonly expiresAtMs: number;
}

export class Plans {
  private readonly plans = new Map<string, Plan>();

  /** @param nowMs monotonic time */
  constructor(private readonly nowMs: () => number) {}

  /** @returns the id of the plan, with which this viewer can carry it out once */
  add(change: Change, viewer: string | undefined): { readonly plan: string; readonly expiresInMs: number } {
    this.forgetExpired();
    const [oldest] = this.plans.keys();
    if (this.plans.size >= MOST_PLANS && oldest !== undefined) this.plans.delete(oldest);
    const id = randomBytes(16).toString('base64url');
    this.plans.set(id, { change, viewer, expiresAtMs: this.nowMs() + PLAN_MS });
    return { plan: id, expiresInMs: PLAN_MS };
  }

  /** Takes a plan, which nobody can carry out again. @throws ConsoleRefusal */
  take(id: string, viewer: string | undefined): Change {
    this.forgetExpired();
    const plan = this.plans.get(id);
    // The same words for the plan of another viewer: its existence is nobody else's business.
    if (plan === undefined || plan.viewer !== viewer) {
      const text =
        'there is no such plan: it was carried out, or is older than 5 minutes; nothing was changed; plan again';
      throw new ConsoleRefusal(409, 'NO_PLAN', text);
    }
    this.plans.delete(id);
    return plan.change;
  }

  private forgetExpired(): void {
    const nowMs = this.nowMs();
    for (const [id, { expiresAtMs }] of this.plans) if (expiresAtMs <= nowMs) this.plans.delete(id);
  }
}
