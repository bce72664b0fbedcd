// What a check of the doctor tells, and how a list of them is printed.

/** `skipped`: it could not be looked at, or nobody asked for it. */
export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

/** One thing that was looked at. */
export interface Check {
  readonly status: CheckStatus;
  /** What kind of check it is: a name that stays. */
  readonly name: string;
  /** What was looked at: an address, a topic, a group, a broker. */
  readonly subject: string;
  readonly seen: string;
  /** Why it matters; where something is wrong. */
  readonly why?: string;
  /** What to do; where something is wrong. */
  readonly advice?: string;
}

/** The worst of the checks. What was skipped is no fault. */
export function worstOf(checks: readonly Check[]): Exclude<CheckStatus, 'skipped'> {
  const has = (status: CheckStatus): boolean => checks.some((one) => one.status === status);
  return has('failed') ? 'failed' : has('warning') ? 'warning' : 'ok';
}

/** Checks for people. */
export function checksText(endpoint: string, checks: readonly Check[]): string {
  const widthOf = (of: (check: Check) => string): number => Math.max(0, ...checks.map((check) => of(check).length));
  const [nameWidth, subjectWidth] = [widthOf(({ name }) => name), widthOf(({ subject }) => subject)];
  const lines = checks.flatMap(({ status, name, subject, seen, why, advice }) => [
    `${status.padEnd(7)}  ${name.padEnd(nameWidth)}  ${subject.padEnd(subjectWidth)}  ${seen}`,
    ...(why === undefined ? [] : [`${INDENT}why: ${why}`]),
    ...(advice === undefined ? [] : [`${INDENT}do:  ${advice}`]),
  ]);
  const count = (status: CheckStatus): string => `${checks.filter((one) => one.status === status).length} ${status}`;
  const sum = [count('ok'), count('warning'), count('failed'), count('skipped')].join(', ');
  return [`doctor of ${endpoint}`, '', ...lines, '', sum, ''].join('\n');
}

const INDENT = ' '.repeat(9);
