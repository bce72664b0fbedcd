// The memory limit of an embedded broker, beside what its heap really holds.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { TYPESCRIPT_ARGS } from '../../tools/typescript/typescript-args.js';
import type { HeldMemory } from './held-memory.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What the estimate may be wrong by, in either direction. The guide promises the first. */
const MAX_RATIO = 1.5;
const MIN_RATIO = 0.4;
/** Leases and offsets may take a quarter more than the limit, and the last poll a little more. */
const WITH_DELIVERIES = 1.3;

async function fill(name: string): Promise<HeldMemory> {
  const { stdout } = await run(process.execPath, [...TYPESCRIPT_ARGS, 'test/processes/held-memory.ts', name], {
    cwd: ROOT,
  });
  return JSON.parse(stdout);
}

describe('an embedded broker in memory holds no more than its limit', () => {
  it.each([
    'bodies of one byte',
    'bodies of one byte, sent alone',
    'bodies of 1 KiB',
    'bodies of 100 KiB',
    'many properties',
    'long properties',
    'long properties of two bytes a character',
    'keys',
    'keys that are indexed',
    'keys as one text',
    'long ids',
    'long trace contexts',
    'message groups',
    'half messages',
    'delayed messages',
    'lite topics',
    'topics of first use',
    'topics with a message each',
    'groups of first use',
  ])('of %s', async (name) => {
    const { limitBytes, countedBytes, heldBytes } = await fill(name);
    // The last request begins below the limit; its place in the index comes on top.
    expect(countedBytes / limitBytes).toBeLessThan(1.05);
    expect(heldBytes / limitBytes).toBeLessThan(MAX_RATIO);
    expect(heldBytes / countedBytes).toBeGreaterThan(MIN_RATIO);
  });

  it('and a quarter, of deliveries', async () => {
    const { limitBytes, countedBytes, heldBytes } = await fill('deliveries');
    expect(countedBytes / limitBytes).toBeLessThan(WITH_DELIVERIES);
    expect(heldBytes / limitBytes).toBeLessThan(WITH_DELIVERIES * MAX_RATIO);
  });
});
