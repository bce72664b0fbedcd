// Where the CPU time of a process went, by the profile that Node.js writes with --cpu-prof.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '..', '..');

/**
 * @param {string} folder with one profile
 * @param {number} count
 * @returns {{ percent: number, place: string }[]} the functions with most time of their own, of the time that was not idle
 */
export function topFunctions(folder, count) {
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error(`no profile in ${folder}`);
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const micros = new Map();
  samples.forEach((id, index) => {
    const place = places.get(id);
    if (place !== '(idle)') micros.set(place, (micros.get(place) ?? 0) + timeDeltas[index]);
  });
  const all = [...micros.values()].reduce((sum, one) => sum + one, 0);
  return [...micros]
    .sort(([, one], [, other]) => other - one)
    .slice(0, count)
    .map(([place, time]) => ({ percent: (100 * time) / all, place }));
}

/** @param {{ functionName: string, url: string, lineNumber: number }} frame */
function placeOf({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const path = url.startsWith('file:') ? relative(root, fileURLToPath(url)).split(sep).join('/') : url;
  return `${name} ${path}:${lineNumber + 1}`;
}
