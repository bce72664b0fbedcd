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

/** The tags of an expression, or `every` for `*` and the empty one (server `FilterAPI.buildSubscriptionData`). */
export function tagsOf(expression: string): ReadonlySet<string> | 'every' {
  const trimmed = expression.trim();
  if (trimmed === '' || trimmed === '*') return 'every';
  return new Set(
    trimmed
      .split('||')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ''),
  );
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
