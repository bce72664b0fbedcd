// The answer to whether one schema accepts what another one does: yes, no, or unknown.

/** Why not; `where` is the path of the field. */
export interface Doubt {
  readonly kind: 'no' | 'unknown';
  readonly where: string;
  readonly why: string;
}

/** Empty: yes. */
export type Verdict = readonly Doubt[];

export const YES: Verdict = [];

export function no(where: string, why: string): Verdict {
  return [{ kind: 'no', where, why }];
}

export function unknown(where: string, why: string): Verdict {
  return [{ kind: 'unknown', where, why }];
}

export function isYes(verdict: Verdict): boolean {
  return verdict.length === 0;
}

/** A certain no decides, whatever else is unknown. */
export function isNo(verdict: Verdict): boolean {
  return verdict.some(({ kind }) => kind === 'no');
}

/** The same where something about the accepted values was left out: a no is not certain then. */
export function uncertain(verdict: Verdict, because: string): Verdict {
  return verdict.map(({ where, why }) => ({ kind: 'unknown', where, why: `${why}, unless ${because} rules it out` }));
}
