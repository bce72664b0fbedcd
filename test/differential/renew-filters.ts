// npm run filters [-- --version 5.5.0]: asks the filters of a real server, and writes filters.json, which filters.spec.ts checks.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_VERSION, ensureJars } from '../../libs/rocketmq/src/cli/server/jars.js';
import { FILTERS, MESSAGES } from './filter-cases.js';

const encoded = (texts: readonly string[]) => texts.map((text) => Buffer.from(text).toString('base64')).join(' ');

const { values } = parseArgs({ options: { version: { type: 'string', default: DEFAULT_VERSION } } });
const { version } = values;
const jars = await ensureJars(version, { log: (line) => process.stdout.write(`${line}\n`) });
const input = [
  ...MESSAGES.map((properties) => `P ${encoded(Object.entries(properties).flat())}`),
  ...FILTERS.tags.map((expression) => `T ${encoded([expression])}`),
  ...FILTERS.sql.map((expression) => `S ${encoded([expression])}`),
].join('\n');
const program = join(import.meta.dirname, 'FilterResults.java');
const { status, stdout, stderr } = spawnSync('java', ['-cp', join(jars, '*'), program], { input, encoding: 'utf8' });
const results = stdout.split('\n').filter((line) => /^(?:[01]+|rejected)$/.test(line));
if (status !== 0 || results.length !== FILTERS.tags.length + FILTERS.sql.length) {
  throw new Error(`${results.length} results from FilterResults.java:\n${stderr.slice(-2000)}`);
}
const rows = (expressions: readonly string[], from: number) =>
  expressions.map((expression, index) => `    ${JSON.stringify([expression, results[from + index]])}`).join(',\n');
const text = `{
  "version": ${JSON.stringify(version)},
  "source": "FilterAPI, SqlFilter, ExpressionMessageFilter and FilterUtils of the server, called by FilterResults.java",
  "messages": [
${MESSAGES.map((properties) => `    ${JSON.stringify(properties)}`).join(',\n')}
  ],
  "tags": [
${rows(FILTERS.tags, 0)}
  ],
  "sql": [
${rows(FILTERS.sql, FILTERS.tags.length)}
  ]
}
`;
const file = join(import.meta.dirname, 'filters.json');
writeFileSync(file, text);
spawnSync('npx', ['biome', 'format', '--write', file], { stdio: 'ignore' });
process.stdout.write(
  `filters.json: ${results.length} filters and ${MESSAGES.length} messages, by Apache RocketMQ ${version}\n`,
);
