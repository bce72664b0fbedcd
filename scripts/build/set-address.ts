// node --import ./tools/typescript/run-typescript.mjs scripts/build/set-address.ts https://github.com/<owner>/<name>
// Writes the address of the public repository wherever a reader outside of it needs one: fields and npm pages of both packages, the badges
// of README.md, the code owner. Run it once, and again after a move, in the root of the repository; then commit the result.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';

const PACKAGES = ['libs/rocketmq', 'libs/console'];
/** A link or a picture in Markdown that leads to a file of this repository. */
const LINK_INSIDE = /(!?)\[([^\][]*)\]\((?!https?:|mailto:|#)([^()\s]+)\)/g;

interface Address {
  owner: string;
  url: string;
  raw: string;
  site: string;
}

function readAddress(text: string): Address {
  const [, owner, name] = /^https:\/\/github\.com\/([A-Za-z0-9-]+)\/([\w.-]+)$/.exec(text) ?? [];
  if (owner === undefined || name === undefined) {
    throw new Error(`"${text}" is not an address like https://github.com/owner/name. Nothing was written.`);
  }
  return {
    owner,
    url: text,
    raw: `https://raw.githubusercontent.com/${owner}/${name}`,
    site: `https://${owner.toLowerCase()}.github.io/${name}/`,
  };
}

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

/** Links and pictures that also work on npm. @param folder where it is */
function withLinksFromOutside(markdown: string, folder: string, { url, raw }: Address): string {
  return markdown.replace(LINK_INSIDE, (_, picture, label, target) => {
    const base = picture === '' ? `${url}/blob/main` : `${raw}/main`;
    return `${picture}[${label}](${base}/${posix.join(folder, target)})`;
  });
}

function withBadges(readme: string, { url }: Address): string {
  if (readme.includes('[![checks](')) return readme;
  const checks = `${url}/actions/workflows/checks.yml`;
  const badges = [
    `[![checks](${checks}/badge.svg)](${checks})`,
    '[![npm](https://img.shields.io/npm/v/nestjs-rocketmq)](https://www.npmjs.com/package/nestjs-rocketmq)',
  ];
  return readme.replace(/^# .*\n/, (title) => `${title}\n${badges.join(' ')}\n`);
}

const address = readAddress(process.argv[2] ?? '');
const { repository: before } = JSON.parse(readFileSync('libs/rocketmq/package.json', 'utf8'));
const old = before && readAddress(before.url.slice('git+'.length, -'.git'.length));

const moved = (text: string) =>
  old === undefined
    ? text
    : text
        .replaceAll(old.site, address.site)
        .replaceAll(`${old.url}/`, `${address.url}/`)
        .replaceAll(`${old.raw}/`, `${address.raw}/`);

for (const folder of PACKAGES) {
  rewrite(join(folder, 'package.json'), (text) => {
    const fields = {
      homepage: address.site,
      bugs: { url: `${address.url}/issues` },
      repository: { type: 'git', url: `git+${address.url}.git`, directory: folder },
    };
    return `${JSON.stringify({ ...JSON.parse(text), ...fields }, undefined, 2)}\n`;
  });
  rewrite(join(folder, 'README.md'), (text) => withLinksFromOutside(moved(text), folder, address));
}
rewrite('README.md', (text) => withBadges(moved(text), address));

const owners = '.github/CODEOWNERS';
if (old === undefined || !existsSync(owners)) writeFileSync(owners, `* @${address.owner}\n`);
