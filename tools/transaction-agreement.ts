// Checks that a database and the consumers of its transactional messages agree. Pure: facts in, violations out.

/** How transactions ended, by their business keys. */
export interface TransactionEnds {
  /** The transactions that began. */
  readonly begun: readonly string[];
  /** Those whose method returned, which their caller considers done. */
  readonly returned: readonly string[];
  /** Those in the database. */
  readonly inDatabase: readonly string[];
  /** Those that consumers received, possibly twice. */
  readonly delivered: readonly string[];
  /** Those whose half message the server still checks. */
  readonly undecided: readonly string[];
}

/** Every transaction is in the database and was delivered to the consumers, or neither. */
export function agreementViolations({ begun, returned, inDatabase, delivered, undecided }: TransactionEnds): string[] {
  const violations: string[] = [];
  const [wereBegun, wereReturned, wereDelivered, areUndecided] = [begun, returned, delivered, undecided].map(
    (keys) => new Set(keys),
  ) as [Set<string>, Set<string>, Set<string>, Set<string>];
  const kept = new Map<string, number>();
  for (const key of inDatabase) kept.set(key, (kept.get(key) ?? 0) + 1);
  const known = new Set([...begun, ...returned, ...inDatabase, ...delivered, ...undecided]);
  for (const key of known) {
    const times = kept.get(key) ?? 0;
    const isKept = times > 0;
    if (!wereBegun.has(key)) violations.push(`${key} was never begun`);
    if (times > 1) violations.push(`${key} was done twice`);
    if (areUndecided.has(key)) violations.push(`${key} is undecided`);
    else if (isKept && !wereDelivered.has(key)) violations.push(`the message of ${key} was lost`);
    if (!isKept && wereDelivered.has(key)) violations.push(`${key} was delivered, but is not in the database`);
    if (!isKept && wereReturned.has(key)) violations.push(`${key} was taken for done, but is not in the database`);
  }
  return violations;
}
