// Where the CPU time of a process went, by the profile that Node.js writes with --cpu-prof.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '..', '..', '..');

/** Of the time that was not idle. */
export interface Share {
  percent: number;
  place: string;
}

interface Frame {
  functionName: string;
  url: string;
  lineNumber: number;
}

interface ProfileNode {
  id: number;
  callFrame: Frame;
  children?: readonly number[];
}

interface Profile {
  nodes: readonly ProfileNode[];
  samples: readonly number[];
  timeDeltas: readonly number[];
}

/**
 * @param folder with one profile
 * @returns the functions with their own time; and those of this repository with what
 * Node.js and packages did on their behalf, too. The most first
 */
export function readProfile(folder: string): { own: Share[]; charged: Share[] } {
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error(`no profile in ${folder}`);
  return sharesOf(JSON.parse(readFileSync(join(folder, file), 'utf8')));
}

export function sharesOf(profile: Profile) {
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
 * @param detailOf what a function does for the part that called it: a part of that part, as `part: detail`
 * @returns the most first; what no part has called is a part by its function: `(program)`, `(garbage collector)`, or else `Node.js`
 */
export function partsOf(
  profile: Profile,
  partOf: (frame: Frame) => string | undefined,
  detailOf: (frame: Frame) => string | undefined = () => undefined,
): Share[] {
  const { nodes } = profile;
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const payers = payersOf(nodes, (frame) => partOf(frame) !== undefined);
  const ofFrame = (frame: Frame | undefined) => {
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

function sharesBy({ nodes, samples, timeDeltas }: Profile, nameOf: (id: number) => string | undefined): Share[] {
  const idle = new Set(nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id));
  const sums = new Map<string, number>();
  samples.forEach((id, index) => {
    if (!idle.has(id)) add(sums, nameOf(id) ?? '(unknown)', timeDeltas[index] ?? 0);
  });
  return sharesIn(sums);
}

/** For each node the nearest one, itself or above it, that `isPayer`; itself when there is none. */
function payersOf(nodes: readonly ProfileNode[], isPayer: (frame: Frame) => boolean) {
  const payers = new Map<number, number>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const visit = (node: ProfileNode | undefined, payer: number | undefined) => {
    if (node === undefined) return;
    const own = isPayer(node.callFrame) ? node.id : payer;
    payers.set(node.id, own ?? node.id);
    for (const child of node.children ?? []) visit(byId.get(child), own);
  };
  visit(nodes[0], undefined);
  return payers;
}

const isOurs = ({ url }: Frame) => url.startsWith('file:') && !url.includes('/node_modules/');

function add(sums: Map<string, number>, key: string, micros: number): void {
  sums.set(key, (sums.get(key) ?? 0) + micros);
}

function sharesIn(sums: Map<string, number>): Share[] {
  const all = [...sums.values()].reduce((sum, one) => sum + one, 0);
  return [...sums]
    .sort(([, one], [, other]) => other - one)
    .map(([place, micros]) => ({ percent: (100 * micros) / all, place }));
}

function placeOf({ functionName, url, lineNumber }: Frame): string {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const path = url.startsWith('file:') ? relative(root, fileURLToPath(url)).split(sep).join('/') : url;
  return `${name} ${path}:${lineNumber + 1}`;
}
