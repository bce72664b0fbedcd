// Where the CPU time of a process went, by the profile that Node.js writes with --cpu-prof.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '..', '..');

/** @typedef {{ percent: number, place: string }} Share of the time that was not idle */

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

/** @param {{ nodes: any[], samples: number[], timeDeltas: number[] }} profile */
export function sharesOf({ nodes, samples, timeDeltas }) {
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const payers = payersOf(nodes);
  const own = new Map();
  const charged = new Map();
  samples.forEach((id, index) => {
    const place = places.get(id);
    if (place === '(idle)') return;
    add(own, place, timeDeltas[index]);
    add(charged, places.get(payers.get(id)), timeDeltas[index]);
  });
  return { own: sharesIn(own), charged: sharesIn(charged) };
}

/** For each node the nearest one, itself or above it, that is code of this repository; itself when there is none. */
function payersOf(nodes) {
  const payers = new Map();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const visit = (node, payer) => {
    const own = isOurs(node.callFrame) ? node.id : payer;
    payers.set(node.id, own ?? node.id);
    for (const child of node.children ?? []) visit(byId.get(child), own);
  };
  if (nodes.length > 0) visit(nodes[0], undefined);
  return payers;
}

const isOurs = ({ url }) => url.startsWith('file:') && !url.includes('/node_modules/');

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

/** @param {{ functionName: string, url: string, lineNumber: number }} frame */
function placeOf({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const path = url.startsWith('file:') ? relative(root, fileURLToPath(url)).split(sep).join('/') : url;
  return `${name} ${path}:${lineNumber + 1}`;
}
