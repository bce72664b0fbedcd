// Whether a database and the consumers of its transactional messages agree. Pure: facts in, violations out.

/** How transactions ended, each by the key of its business. */
export interface TransactionEnds {
  /** What was begun. */
  readonly begun: readonly string[];
  /** Whose method returned: its caller takes it for done. */
  readonly returned: readonly string[];
  /** What the database holds. */
  readonly inDatabase: readonly string[];
  /** What consumers got; some perhaps twice. */
  readonly delivered: readonly string[];
  /** Whose half message the server still asks about. */
  readonly undecided: readonly string[];
}

/** Every transaction is in the database and with the consumers, or in neither. */
export function agreementViolations({ begun, returned, inDatabase, delivered, undecided }: TransactionEnds): string[] {
  const violations: string[] = [];
  const known = new Set([...begun, ...returned, ...inDatabase, ...delivered, ...undecided]);
  for (const key of known) {
    const isKept = inDatabase.includes(key);
    if (!begun.includes(key)) violations.push(`${key} was never begun`);
    if (inDatabase.indexOf(key) !== inDatabase.lastIndexOf(key)) violations.push(`${key} was done twice`);
    if (undecided.includes(key)) violations.push(`${key} is undecided`);
    else if (isKept && !delivered.includes(key)) violations.push(`the message of ${key} was lost`);
    if (!isKept && delivered.includes(key)) violations.push(`${key} was told, but is not in the database`);
    if (!isKept && returned.includes(key)) violations.push(`${key} was taken for done, but is not in the database`);
  }
  return violations;
}
