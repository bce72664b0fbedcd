import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { INVENTORY_SERVICE, ORDER_SERVICE, TOPICS } from './topics.js';

describe('TOPICS', () => {
  it('are the topics that the setup scripts create on a cluster', () => {
    const text = readFileSync(join(process.cwd(), 'scripts/demo/resources.json'), 'utf8');
    const { topics, groups } = JSON.parse(text) as { topics: unknown; groups: unknown };
    expect(topics).toEqual(TOPICS.map(({ name, type }) => ({ name, type })));
    expect(groups).toEqual([ORDER_SERVICE, INVENTORY_SERVICE].map((name) => ({ name })));
  });
});
