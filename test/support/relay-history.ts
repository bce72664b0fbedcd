// Checks what relays sent of an outbox. Pure: facts in, violations out.

/** A message that was added by a committed transaction. */
export interface AddedMessage {
  readonly id: string;
  readonly messageGroup: string | undefined;
}

/**
 * Every added message was sent, nothing else was, and within a message group the first sends are in order. A message may be sent again
 * at any time, because consumers recognize it by its id.
 * @param added in order within each group
 * @param sent ids, in the order in which the server stored them
 */
export function relayViolations(added: readonly AddedMessage[], sent: readonly string[]): string[] {
  const violations: string[] = [];
  const firstAt = new Map<string, number>();
  for (const [index, id] of sent.entries()) if (!firstAt.has(id)) firstAt.set(id, index);
  const known = new Set(added.map(({ id }) => id));
  for (const id of firstAt.keys()) if (!known.has(id)) violations.push(`${id} was sent without being added`);
  const latest = new Map<string, { readonly id: string; readonly at: number }>();
  for (const { id, messageGroup } of added) {
    const at = firstAt.get(id);
    if (at === undefined) violations.push(`${id} was lost`);
    if (at === undefined || messageGroup === undefined) continue;
    const before = latest.get(messageGroup);
    if (before !== undefined && at < before.at) violations.push(`${id} was sent before ${before.id}`);
    else latest.set(messageGroup, { id, at });
  }
  return violations;
}
