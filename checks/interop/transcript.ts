// Two transcripts of one program, compared. What may differ is listed in differences.ts, to the value; nothing else may.

import { isDeepStrictEqual } from 'node:util';
import type { Difference } from './differences.js';

export interface Line {
  step: string;
  what: string;
  [fact: string]: unknown;
}
export interface Found {
  step: string;
  what: string;
  fact: string;
  embedded: unknown;
  real: unknown;
}

/**
 * @param output of a program
 * @throws Error for a line that is none, or one that says again what an earlier one said
 */
export function parseTranscript(output: string): Line[] {
  const lines = output
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text));
  const names = new Set();
  for (const { step, what } of lines) {
    const name = `${step}: ${what}`;
    if (names.has(name)) throw new Error(`the program says twice "${name}"`);
    names.add(name);
  }
  return lines;
}

/** What kept a step from its end, or undefined. Two backends that fail alike are no agreement. */
export function failureOf(lines: readonly Line[], step: string): string | undefined {
  const ofStep = lines.filter((line) => line.step === step);
  const failed = ofStep.find(({ what }) => what === 'failed');
  if (failed !== undefined) return String(failed.error);
  return ofStep.some(({ what }) => what === 'end') ? undefined : 'the program ended before the step did';
}

/** Every fact of a step that is not the same on both. */
export function compareStep(embedded: readonly Line[], real: readonly Line[], step: string): Found[] {
  const sides = [embedded, real].map(
    (lines) => new Map(lines.filter((line) => line.step === step).map((line) => [line.what, line])),
  );
  const names = new Set(sides.flatMap((side) => [...side.keys()]));
  return [...names].flatMap((what) => {
    const [ours, theirs] = sides.map((side) => side.get(what));
    if (ours === undefined || theirs === undefined) {
      return [{ step, what, fact: '', embedded: ours ?? null, real: theirs ?? null }];
    }
    return compareValue(ours, theirs).map((found) => ({ step, what, ...found }));
  });
}

function compareValue(
  embedded: unknown,
  real: unknown,
  fact: string = '',
): { fact: string; embedded: unknown; real: unknown }[] {
  if (isDeepStrictEqual(embedded, real)) return [];
  if (!isContainer(embedded) || !isContainer(real) || Array.isArray(embedded) !== Array.isArray(real)) {
    return [{ fact, embedded: embedded ?? null, real: real ?? null }];
  }
  const keys = new Set([...Object.keys(embedded), ...Object.keys(real)]);
  return [...keys].flatMap((key) => compareValue(embedded[key], real[key], fact === '' ? key : `${fact}.${key}`));
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/**
 * Which of the differences found are listed, and which listed ones were not found: those are stale.
 * @param listed those of this program
 */
export function compareWithListed(
  found: readonly Found[],
  listed: readonly Difference[],
): { unlisted: Found[]; stale: Difference[] } {
  const isSame = (one: Found, other: Found) =>
    (['step', 'what', 'fact', 'embedded', 'real'] as const).every((key) => isDeepStrictEqual(one[key], other[key]));
  return {
    unlisted: found.filter((one) => !listed.some((other) => isSame(one, other))),
    stale: listed.filter((one) => !found.some((other) => isSame(one, other))),
  };
}
