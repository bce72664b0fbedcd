import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { MUTATIONS } from './mutations.js';

const SOURCE = join(import.meta.dirname, '../../libs/rocketmq/src');

it.each(MUTATIONS)('the strings that a mutation replaces occur once in the source: $fault', ({ file, edits }) => {
  const text = readFileSync(join(SOURCE, file), 'utf8');
  for (const find of Object.keys(edits)) expect(text.split(find)).toHaveLength(2);
});
