// What users run with Vitest and Jest: the example of the guide, brokers in each scope, tests that fail. Each in a process of its own.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { MINUTE_MS } from 'nestjs-rocketmq';

const folder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-runners-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | string | null | undefined;
  readonly output: string;
  readonly report: { readonly numPassedTests: number; readonly numFailedTests: number };
}

/** Runs a test runner, which must end by itself. Both write their results in the format of Jest. */
function run(args: readonly string[], report: string): Promise<Ended> {
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env, timeout: 2 * MINUTE_MS }, (error, stdout, stderr) => {
      const output = stdout + stderr;
      resolve({ code: error === null ? 0 : error.code, output, report: JSON.parse(readFileSync(report, 'utf8')) });
    });
  });
}

function vitest(file: string): Promise<Ended> {
  const report = join(folder, 'vitest.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/runners/vitest.config.mjs'];
  return run([...args, ...reporters, file], report);
}

function jest(file: string): Promise<Ended> {
  const report = join(folder, 'jest.json');
  const args = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  const options = ['-c', 'test/runners/jest.config.mjs', '--runInBand', '--json', `--outputFile=${report}`];
  return run([...args, ...options, file], report);
}

const passed = (numPassedTests: number) => ({ code: 0, report: { numPassedTests, numFailedTests: 0 } });

describe('Vitest', () => {
  it(
    'runs the example of the guide',
    async () => expect(await vitest('docs/examples/unpaid-order.vitest.ts')).toMatchObject(passed(2)),
    2 * MINUTE_MS,
  );

  it(
    'has a broker for each test, file or worker, and matchers that print differences',
    async () => expect(await vitest('test/runners/vitest/brokers.vitest.ts')).toMatchObject(passed(8)),
    2 * MINUTE_MS,
  );

  it(
    'ends after tests that fail or time out',
    async () => {
      const { code, output, report } = await vitest('test/runners/vitest/failing.vitest.ts');
      expect(report).toMatchObject({ numPassedTests: 1, numFailedTests: 2 });
      expect(code).toBe(1);
      expect(output).toContain("expected 'this test' to be 'failing'");
      expect(output).toContain('Test timed out in 500ms');
      expect(output).not.toMatch(/close timed out|Unhandled/);
    },
    2 * MINUTE_MS,
  );
});

describe('Jest', () => {
  it(
    'has a broker for each test or file, on its globals',
    async () => expect(await jest('test/runners/jest/brokers.jest.ts')).toMatchObject(passed(5)),
    2 * MINUTE_MS,
  );

  it(
    'ends after tests that fail or time out',
    async () => {
      const { code, output, report } = await jest('test/runners/jest/failing.jest.ts');
      expect(report).toMatchObject({ numPassedTests: 1, numFailedTests: 2 });
      expect(code).toBe(1);
      expect(output).toContain('Exceeded timeout of 500 ms');
      expect(output).not.toMatch(/did not exit/);
    },
    2 * MINUTE_MS,
  );
});
