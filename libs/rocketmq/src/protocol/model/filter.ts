// Filter expressions: which messages of a topic a subscription wants.

/** A filter by tag. `*` matches every message; `a || b` matches two tags. */
export interface TagFilter {
  readonly kind: 'tag';
  readonly expression: string;
}

/**
 * A filter by the properties of a message, and its tag as `TAGS`, in SQL92: `region = 'eu' AND amount > 100`. The server evaluates
 * it (`enablePropertyFilter`, off by default); docs/protocol-notes.md lists its surprises.
 */
export interface SqlFilter {
  readonly kind: 'sql';
  readonly expression: string;
}

export type Filter = TagFilter | SqlFilter;

/** Matches every message. */
export const EVERY_MESSAGE: Filter = { kind: 'tag', expression: '*' };

/** The tags of an expression, or `every` for `*` and the empty one. @see FilterAPI.buildSubscriptionData of the server: it compares before it trims */
export function tagsOf(expression: string): ReadonlySet<string> | 'every' {
  if (expression === '' || expression === '*') return 'every';
  return new Set(
    expression
      .split('||')
      .map(trimmed)
      .filter((tag) => tag !== ''),
  );
}

/** Why an expression by tag is not what it looks like, for a consumer that would get nothing by it; undefined when it is fine. */
export function tagFilterProblem(expression: string): string | undefined {
  const tags = tagsOf(expression);
  if (tags === 'every') return undefined;
  if (tags.size === 0) return 'names no tag; for every message, write "*"';
  if (!tags.has('*')) return undefined;
  return 'stands for messages with the tag "*" and not for every message, because of what is beside the star; write "*"';
}

/** Whether the server rejects an expression by tag: in its language, nothing but separators splits into nothing. */
export function isOnlySeparators(expression: string): boolean {
  return expression !== '' && expression.split('||').every((part) => part === '');
}

/** As Java trims: what is above a blank, such as a no-break space, stays. */
function trimmed(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && text.charCodeAt(start) <= 0x20) start++;
  while (start < end && text.charCodeAt(end - 1) <= 0x20) end--;
  return text.slice(start, end);
}

/** Whether a message with this tag matches. */
export function matchesTag(expression: string, tag: string | undefined): boolean {
  return tagMatcher(expression)(tag);
}

/** The same for many messages; parses the expression once. */
export function tagMatcher(expression: string): (tag: string | undefined) => boolean {
  const tags = tagsOf(expression);
  return (tag) => tags === 'every' || (tag !== undefined && tags.has(tag));
}
