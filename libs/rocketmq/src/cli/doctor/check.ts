// The result of a check, and how a list of results is printed.

/** `skipped`: the check was not possible, or not requested. */
export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

/** The result of one check. */
export interface Check {
  readonly status: CheckStatus;
  /** The kind of check; a stable name. */
  readonly name: string;
  /** What was checked: an address, a topic, a group, a broker. */
  readonly subject: string;
  readonly seen: string;
  /** Why it matters, if there is a problem. */
  readonly why?: string;
  /** What to do, if there is a problem. */
  readonly advice?: string;
}

/** A command of this program with the access of the doctor's call, to copy. */
export type CommandText = (...words: readonly string[]) => string;

/** The worst status. Skipped checks do not count. */
export function worstOf(checks: readonly Check[]): Exclude<CheckStatus, 'skipped'> {
  const has = (status: CheckStatus): boolean => checks.some((one) => one.status === status);
  return has('failed') ? 'failed' : has('warning') ? 'warning' : 'ok';
}

/** The checks as text. */
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
