// The page of licences, docs/licences.md: of all that an installation of the library brings along. Which packages these are is in
// the lock file, what their licences are in the packages.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { init } from 'license-checker-rseidelsohn';
import { root } from '../../tools/documents.js';

export interface Licensed {
  name: string;
  version: string;
  licence: string;
  wantedBy: string;
  how: 'dependency' | 'packed' | 'peer';
}

export const LICENCES = join(root, 'docs/licences.md');

/** What may be used in, and handed on with, software under the Apache License 2.0 without further duties than to name it. */
export const FITTING = [
  'Apache-2.0',
  'MIT',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '(Apache-2.0 AND BSD-3-Clause)',
];

const LIBRARY = 'libs/rocketmq';

/** @returns by name; what the library depends on, what the build makes part of it, and the packages beside it that it can use */
export async function licences(): Promise<Licensed[]> {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const known = { ...(await licencesBelow(root)), ...(await licencesBelow(join(root, LIBRARY))) };
  const { dependencies, devDependencies, peerDependencies } = lock[LIBRARY];
  const found = new Map();
  const add = (name: string, from: string, wantedBy: string, how: Licensed['how']) => {
    const place = placeOf(name, from, lock);
    if (place === undefined || found.has(place)) return;
    const { version, dependencies: further = {} } = lock[place];
    const licence = String(known[`${name}@${version}`]?.licenses ?? lock[place].license ?? 'unknown');
    found.set(place, { name, version, licence, wantedBy, how });
    if (how !== 'peer') for (const next of Object.keys(further)) add(next, place, name, how);
  };
  for (const name of Object.keys(dependencies)) add(name, LIBRARY, 'nestjs-rocketmq', 'dependency');
  for (const name of Object.keys(devDependencies)) add(name, LIBRARY, 'nestjs-rocketmq', 'packed');
  for (const name of Object.keys(peerDependencies)) add(name, LIBRARY, 'nestjs-rocketmq', 'peer');
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function licencesBelow(start: string): Promise<Record<string, { licenses?: string | string[] }>> {
  return promisify(init)({ start, excludePrivatePackages: false });
}

/** Where Node finds a package from another: the nearest folder upwards. */
function placeOf(name: string, from: string, lock: Record<string, unknown>) {
  for (let folder = from; ; folder = folder.replace(/(^|\/)[^/]*$/, '')) {
    const place = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (lock[place] !== undefined) return place;
    if (folder === '') return undefined;
  }
}

export function licencesPage(all: readonly Licensed[]): string {
  const tableOf = (wanted: Licensed['how']): string => table(all.filter(({ how }) => how === wanted));
  return `# Licences

\`nestjs-rocketmq\` is under the Apache License 2.0. This page is made from the lock file and the installed packages: \`npm run docs\` writes it, a
test compares it, and fails on a licence that does not fit: ${FITTING.map((name) => `\`${name}\``).join(', ')}.

## Installed with it

${tableOf('dependency')}

## Packed into it

Part of its code, so that they are no packages of their own; their licences are in \`dist/cjs/packages/LICENSES\`.

${tableOf('packed')}

## Beside it

Packages that the application installs, the optional ones only where it uses what needs them. What they bring along themselves is theirs.

${tableOf('peer')}

The protocol's \`.proto\` files (\`proto/\` in the package) are those of [apache/rocketmq-apis](https://github.com/apache/rocketmq-apis), Apache License 2.0.
`;
}

function table(packages: readonly Licensed[]): string {
  const rows = packages.map(({ name, version, licence, wantedBy }) => [
    `\`${name}\``,
    version,
    licence,
    `\`${wantedBy}\``,
  ]);
  const head = ['Package', 'Version here', 'Licence', 'Wanted by'];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) => `| ${cells.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
