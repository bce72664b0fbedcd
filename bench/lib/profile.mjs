// Where the CPU time of a process went, by the profile that Node.js writes with --cpu-prof.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '..', '..');

/**
 * Of the time that was not idle.
 * @typedef {{ percent: number, place: string }} Share
 *
 * @typedef {{ functionName: string, url: string, lineNumber: number }} Frame
 * @typedef {{ id: number, callFrame: Frame, children?: readonly number[] }} ProfileNode
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

/** @param {{ nodes: readonly ProfileNode[], samples: readonly number[], timeDeltas: readonly number[] }} profile */
export function sharesOf({ nodes, samples, timeDeltas }) {
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const payers = payersOf(nodes);
  /** @type {Map<string, number>} */
  const own = new Map();
  /** @type {Map<string, number>} */
  const charged = new Map();
  samples.forEach((id, index) => {
    const place = places.get(id) ?? '(unknown)';
    if (place === '(idle)') return;
    const micros = timeDeltas[index] ?? 0;
    add(own, place, micros);
    add(charged, places.get(payers.get(id) ?? id) ?? place, micros);
  });
  return { own: sharesIn(own), charged: sharesIn(charged) };
}

/**
 * For each node the nearest one, itself or above it, that is code of this repository; itself when there is none.
 * @param {readonly ProfileNode[]} nodes
 */
function payersOf(nodes) {
  /** @type {Map<number, number>} */
  const payers = new Map();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const visit = (/** @type {ProfileNode | undefined} */ node, /** @type {number | undefined} */ payer) => {
    if (node === undefined) return;
    const own = isOurs(node.callFrame) ? node.id : payer;
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
