// What the benchmarks measure of other processes.

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { storeArguments } from './lib/embedded-arguments.mjs';
import {
  cpuMicrosIn,
  machineCpuMicros,
  processesNaming,
  residentIn,
  treeCpuMicros,
  usageOf,
} from './lib/process-usage.mjs';

describe('the usage of a process', () => {
  it('is its user and system time, whatever its name', () => {
    const stat = '42 (a) b (c) S 1 42 42 0 -1 4194560 1 0 0 0 120 30 0 0 20 0 11 0 5 1 1';
    expect(cpuMicrosIn(stat)).toBe(1_500_000);
  });

  it('is its resident memory', () => {
    expect(residentIn('VmHWM:\t    9 kB\nVmRSS:\t  2048 kB\nRssAnon:\t  1 kB\n')).toBe(2 * 1024 * 1024);
  });

  it('is summed over all processes', () => {
    const one = usageOf([process.pid]);
    const two = usageOf([process.pid, process.pid]);
    expect(one.residentBytes).toBeGreaterThan(10 * 1024 * 1024);
    expect(two.residentBytes).toBeGreaterThan(one.residentBytes * 1.5);
    expect(two.cpuMicros).toBeGreaterThan(0);
  });

  it('includes children that it has waited for, and no other processes', () => {
    const before = treeCpuMicros([process.pid]);
    execFileSync(process.execPath, ['-e', 'while (process.cpuUsage().user < 200_000);']);
    const own = usageOf([process.pid]).cpuMicros;
    const tree = treeCpuMicros([process.pid]);
    expect(tree - before).toBeGreaterThanOrEqual(150_000);
    expect(tree - own).toBeGreaterThanOrEqual(150_000);
    expect(treeCpuMicros([process.ppid])).toBeGreaterThanOrEqual(tree);
    expect(treeCpuMicros([])).toBe(0);
  });

  it('is a part of the usage of the machine', () => {
    expect(machineCpuMicros('cpu  100 20 30 4000 500 6 7 80 0 0\ncpu0 1 1 1 1\n')).toBe(1_630_000);
    expect(machineCpuMicros()).toBeGreaterThan(0);
  });

  it('is found by its command line', () => {
    expect(processesNaming(process.argv0)).toContain(process.pid);
    expect(processesNaming(`no process ${Math.random()}`)).toEqual([]);
  });
});

describe('an embedded broker', () => {
  it('stores its messages as its kind requires', () => {
    expect(storeArguments('memory', '/tmp/x')).toEqual([]);
    expect(storeArguments('sync', '/tmp/x')).toEqual(['--data', '/tmp/x', '--flush', 'sync']);
  });
});
