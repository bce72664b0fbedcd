// What a replay of dead letters would send, and what it leaves out.

import { type DeadLetterView, positionOf } from 'nestjs-rocketmq/admin';
import { ConsoleRejection } from '../http/exchange.js';
import { firstProblems, type PageContext } from '../pages/context.js';
import { shortDeadLetter } from '../pages/groups.js';
import { letterOf } from './edited-copies.js';

export const PAGE = 100;
export const MAX_SELECTED = 1_000;
/** Of those that a plan leaves out: the page shows no more either. */
const MAX_LISTED = 200;
/** How long one page may take. */
export const PAGE_MS = 60_000;

export type Preview = Awaited<ReturnType<typeof previewOf>>;

type ShortLetter = ReturnType<typeof shortDeadLetter>;

interface PreviewRequest {
  readonly wanted: ReadonlySet<string> | undefined;
  readonly isOfKind: (one: DeadLetterView) => boolean;
  readonly again: boolean;
  /** More are rejected. */
  readonly most: number;
  /** What to do then. */
  readonly fewer: string;
}

export async function previewOf(
  { admin, edited, redaction, request: { signal } }: PageContext,
  consumerGroup: string,
  { wanted, isOfKind, again, most, fewer }: PreviewRequest,
) {
  const isWanted = (one: DeadLetterView): boolean =>
    (wanted === undefined || wanted.has(positionOf(one))) && isOfKind(one);
  const isEdited = (one: DeadLetterView): boolean => !again && edited.has(letterOf(one));
  const select = (one: DeadLetterView): boolean => {
    if (!isWanted(one)) return false;
    if (!isEdited(one)) return true;
    note(one);
    skipped.add(shortDeadLetter(redaction, one));
    return false;
  };
  const note = (one: DeadLetterView): void => {
    if (wanted !== undefined) seen.add(positionOf(one));
  };
  const planned = [];
  const skipped = new FirstOf<ShortLetter>();
  const failed = new FirstOf<{ readonly deadLetter: ShortLetter; readonly error: Error }>();
  const problems = new Set<string>();
  const seen = new Set<string>();
  let after: string | undefined;
  do {
    const page = await admin.planReplay(consumerGroup, {
      select,
      again,
      limit: PAGE,
      timeoutMs: PAGE_MS,
      after,
      signal,
    });
    planned.push(...page.planned.map((one) => ({ ...one, deadLetter: shortDeadLetter(redaction, one.deadLetter) })));
    skipped.add(...page.replayedBefore.map((one) => shortDeadLetter(redaction, one)));
    failed.add(
      ...page.failed.map(({ deadLetter, error }) => ({ deadLetter: shortDeadLetter(redaction, deadLetter), error })),
    );
    for (const failure of page.failures) problems.add(textOf(failure));
    for (const { deadLetter } of [...page.planned, ...page.failed]) note(deadLetter);
    for (const one of page.replayedBefore) note(one);
    after = page.next;
    if (planned.length > most) {
      const text = `more than ${MAX_SELECTED} dead letters would be replayed; nothing was changed; ${fewer}, or replay with the command line`;
      throw new ConsoleRejection(400, 'TOO_MANY', text);
    }
  } while (after !== undefined && (wanted === undefined || seen.size < wanted.size));
  const gone = wanted === undefined ? [] : [...wanted].filter((position) => !seen.has(position));
  return { planned, skipped, failed, gone, problems: firstProblems(problems) };
}

export function lettersIn({ planned, skipped, failed }: Preview): number {
  return planned.length + skipped.count + failed.count;
}

/** Those that are not sent, and how many more there are. */
export function shownOf(previews: readonly Preview[]) {
  const [skipped, failed] = [previews.map((one) => one.skipped), previews.map((one) => one.failed)];
  return {
    skipped: skipped.flatMap(({ first }) => first).slice(0, MAX_LISTED),
    failed: failed.flatMap(({ first }) => first).slice(0, MAX_LISTED),
    more: { skipped: moreThanListed(skipped), failed: moreThanListed(failed) },
  };
}

function moreThanListed(lists: readonly { readonly count: number }[]): number {
  return Math.max(0, lists.reduce((sum, { count }) => sum + count, 0) - MAX_LISTED);
}

/** The first of many. */
class FirstOf<T> {
  readonly first: T[] = [];
  count = 0;

  add(...more: readonly T[]): void {
    this.first.push(...more.slice(0, MAX_LISTED - this.first.length));
    this.count += more.length;
  }
}

export function textOf({ name, error }: { readonly name: string; readonly error: Error }): string {
  return `${name}: ${error.message}`;
}
