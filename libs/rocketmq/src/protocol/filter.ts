// Filter expressions: which messages of a topic a subscription wants.

/** A filter by tag. `*` takes every message; `a || b` takes two tags. */
export interface TagFilter {
  readonly kind: 'tag';
  readonly expression: string;
}

export type Filter = TagFilter;

/** Takes every message. */
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

/** Whether a message with this tag is wanted. */
export function matchesTag(expression: string, tag: string | undefined): boolean {
  const tags = tagsOf(expression);
  return tags === 'every' || (tag !== undefined && tags.has(tag));
}
