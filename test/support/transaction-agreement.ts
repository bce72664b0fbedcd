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
  const known = new Set([...begun, ...returned, ...inDatabase, ...delivered, ...undecided]);
  for (const key of known) {
    const isKept = inDatabase.includes(key);
    if (!begun.includes(key)) violations.push(`${key} was never begun`);
    if (inDatabase.indexOf(key) !== inDatabase.lastIndexOf(key)) violations.push(`${key} was done twice`);
    if (undecided.includes(key)) violations.push(`${key} is undecided`);
    else if (isKept && !delivered.includes(key)) violations.push(`the message of ${key} was lost`);
    if (!isKept && delivered.includes(key)) violations.push(`${key} was delivered, but is not in the database`);
    if (!isKept && returned.includes(key)) violations.push(`${key} was taken for done, but is not in the database`);
  }
  return violations;
}
