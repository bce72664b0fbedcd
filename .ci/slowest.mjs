// node .ci/slowest.mjs RESULTS.json: the slowest specs of a jest run, with their seconds.

import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const MOST = 8;

/** @type {{ testResults: { name: string, startTime: number, endTime: number }[] }} */
const { testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const slowest = testResults
  .map(({ name, startTime, endTime }) => ({
    name: relative(process.cwd(), name),
    seconds: (endTime - startTime) / 1000,
  }))
  .sort((one, other) => other.seconds - one.seconds)
  .slice(0, MOST);
for (const { name, seconds } of slowest) process.stdout.write(`${seconds.toFixed(1).padStart(8)} s  ${name}\n`);
