import { describe, expect, it } from '@jest/globals';
import { unfinishedRequests } from './unfinished-requests.js';
import { MAX_HELD_BYTES } from './verdict.js';

const bytesOf = (port: 'clients' | 'admin', seed: number): number => {
  return unfinishedRequests(seed).reduce((sum, request) => sum + (request.port === port ? request.bytes : 0), 0);
};

describe('requests that are never finished', () => {
  it('are the same for the same seed, and differ for different seeds', () => {
    expect(unfinishedRequests(7)).toEqual(unfinishedRequests(7));
    expect(unfinishedRequests(8)).not.toEqual(unfinishedRequests(7));
  });

  it.each([1, 2])('exceed the memory limit of each port (seed %p)', (seed) => {
    expect(bytesOf('clients', seed)).toBeGreaterThan(1.2 * MAX_HELD_BYTES.withoutUsers);
    expect(bytesOf('admin', seed)).toBeGreaterThan(1.2 * MAX_HELD_BYTES.withUsers);
  });
});
