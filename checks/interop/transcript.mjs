// Two transcripts of one program, compared. What may differ is listed in differences.mjs, to the value; nothing else may.

import { isDeepStrictEqual } from 'node:util';

/** @typedef {{ step: string, what: string, [fact: string]: unknown }} Line */
/** @typedef {{ step: string, what: string, fact: string, embedded: unknown, real: unknown }} Found */

/**
 * @param {string} output of a program
 * @returns {Line[]}
 * @throws Error for a line that is none, or one that says again what an earlier one said
 */
export function parseTranscript(output) {
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

/**
 * What kept a step from its end, or undefined. Two backends that fail alike are no agreement.
 * @param {readonly Line[]} lines @param {string} step
 * @returns {string | undefined}
 */
export function failureOf(lines, step) {
  const ofStep = lines.filter((line) => line.step === step);
  const failed = ofStep.find(({ what }) => what === 'failed');
  if (failed !== undefined) return String(failed.error);
  return ofStep.some(({ what }) => what === 'end') ? undefined : 'the program ended before the step did';
}

/**
 * Every fact of a step that is not the same on both.
 * @param {readonly Line[]} embedded @param {readonly Line[]} real @param {string} step
 * @returns {Found[]}
 */
export function compareStep(embedded, real, step) {
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

/** @param {unknown} embedded @param {unknown} real @param {string} [fact] @returns {{ fact: string, embedded: unknown, real: unknown }[]} */
function compareValue(embedded, real, fact = '') {
  if (isDeepStrictEqual(embedded, real)) return [];
  if (!isContainer(embedded) || !isContainer(real) || Array.isArray(embedded) !== Array.isArray(real)) {
    return [{ fact, embedded: embedded ?? null, real: real ?? null }];
  }
  const keys = new Set([...Object.keys(embedded), ...Object.keys(real)]);
  return [...keys].flatMap((key) => compareValue(embedded[key], real[key], fact === '' ? key : `${fact}.${key}`));
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isContainer(value) {
  return typeof value === 'object' && value !== null;
}

/**
 * Which of the differences found are listed, and which listed ones were not found: those are stale.
 * @param {readonly Found[]} found
 * @param {readonly import('./differences.mjs').Difference[]} listed those of this program
 * @returns {{ unlisted: Found[], stale: import('./differences.mjs').Difference[] }}
 */
export function judge(found, listed) {
  const isSame = (/** @type {Found} */ one, /** @type {Found} */ other) =>
    /** @type {const} */ (['step', 'what', 'fact', 'embedded', 'real']).every((key) =>
      isDeepStrictEqual(one[key], other[key]),
    );
  return {
    unlisted: found.filter((one) => !listed.some((other) => isSame(one, other))),
    stale: listed.filter((one) => !found.some((other) => isSame(one, other))),
  };
}
