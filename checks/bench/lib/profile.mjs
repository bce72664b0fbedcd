// Where the CPU time of a process went, by the profile that Node.js writes with --cpu-prof.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '..', '..', '..');

/**
 * Of the time that was not idle.
 * @typedef {{ percent: number, place: string }} Share
 *
 * @typedef {{ functionName: string, url: string, lineNumber: number }} Frame
 * @typedef {{ id: number, callFrame: Frame, children?: readonly number[] }} ProfileNode
 * @typedef {{ nodes: readonly ProfileNode[], samples: readonly number[], timeDeltas: readonly number[] }} Profile
 */

/**
 * @param {string} folder with one profile
 * @returns {{ own: Share[], charged: Share[] }} the functions with their own time; and those of this repository with what
 *   Node.js and packages did on their behalf, too. The most first
 */
export function readProfile(folder) {
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error(`no profile in ${folder}`);
  return sharesOf(JSON.parse(readFileSync(join(folder, file), 'utf8')));
}

/** @param {Profile} profile */
export function sharesOf(profile) {
  const { nodes } = profile;
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const payers = payersOf(nodes, isOurs);
  return {
    own: sharesBy(profile, (id) => places.get(id)),
    charged: sharesBy(profile, (id) => places.get(payers.get(id) ?? id)),
  };
}

/**
 * The time of each part of an application. What no part claims, such as Node.js itself and helper packages, belongs to the part that called it.
 * @param {Profile} profile
 * @param {(frame: Frame) => string | undefined} partOf
 * @param {(frame: Frame) => string | undefined} [detailOf] what a function does for the part that called it: a part of that part, as `part: detail`
 * @returns {Share[]} the most first; what no part has called is a part by its function: `(program)`, `(garbage collector)`, or else `Node.js`
 */
export function partsOf(profile, partOf, detailOf = () => undefined) {
  const { nodes } = profile;
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const payers = payersOf(nodes, (frame) => partOf(frame) !== undefined);
  const ofFrame = (/** @type {Frame | undefined} */ frame) => {
    if (frame === undefined) return undefined;
    const isPseudo = frame.url === '' && frame.functionName.startsWith('(') && frame.functionName !== '(anonymous)';
    return partOf(frame) ?? (isPseudo ? frame.functionName : 'Node.js');
  };
  return sharesBy(profile, (id) => {
    const part = ofFrame(frames.get(payers.get(id) ?? id));
    const frame = frames.get(id);
    const detail = frame && detailOf(frame);
    return detail === undefined ? part : `${part}: ${detail}`;
  });
}

/** @param {Profile} profile @param {(id: number) => string | undefined} nameOf @returns {Share[]} */
function sharesBy({ nodes, samples, timeDeltas }, nameOf) {
  const idle = new Set(nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id));
  /** @type {Map<string, number>} */
  const sums = new Map();
  samples.forEach((id, index) => {
    if (!idle.has(id)) add(sums, nameOf(id) ?? '(unknown)', timeDeltas[index] ?? 0);
  });
  return sharesIn(sums);
}

/**
 * For each node the nearest one, itself or above it, that `isPayer`; itself when there is none.
 * @param {readonly ProfileNode[]} nodes @param {(frame: Frame) => boolean} isPayer
 */
function payersOf(nodes, isPayer) {
  /** @type {Map<number, number>} */
  const payers = new Map();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const visit = (/** @type {ProfileNode | undefined} */ node, /** @type {number | undefined} */ payer) => {
    if (node === undefined) return;
    const own = isPayer(node.callFrame) ? node.id : payer;
    payers.set(node.id, own ?? node.id);
    for (const child of node.children ?? []) visit(byId.get(child), own);
  };
  visit(nodes[0], undefined);
  return payers;
}

const isOurs = (/** @type {Frame} */ { url }) => url.startsWith('file:') && !url.includes('/node_modules/');

/** @param {Map<string, number>} sums @param {string} key @param {number} micros */
function add(sums, key, micros) {
  sums.set(key, (sums.get(key) ?? 0) + micros);
}

/** @param {Map<string, number>} sums @returns {Share[]} */
function sharesIn(sums) {
  const all = [...sums.values()].reduce((sum, one) => sum + one, 0);
  return [...sums]
    .sort(([, one], [, other]) => other - one)
    .map(([place, micros]) => ({ percent: (100 * micros) / all, place }));
}

/** @param {Frame} frame */
function placeOf({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const path = url.startsWith('file:') ? relative(root, fileURLToPath(url)).split(sep).join('/') : url;
  return `${name} ${path}:${lineNumber + 1}`;
}
