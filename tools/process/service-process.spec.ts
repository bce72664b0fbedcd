// The process of a service that scripts start.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { Service } from './service-process.js';

it('keeps the end of the output of a service, however long the output is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'service-process-'));
  const file = join(folder, 'talker.cjs');
  writeFileSync(
    file,
    `process.stdout.write('begin ' + '.'.repeat(1_000_000) + ' end', () => {
      process.send('ready');
      process.once('SIGTERM', () => process.exit(0));
    });`,
  );
  const service = new Service('talker', [file], { cwd: folder, env: {} });
  try {
    await service.ready(60_000);
    expect(await service.stop(30_000)).toMatch(/^(exit code 0|SIGTERM)$/);
  } finally {
    await service.stop(0);
    rmSync(folder, { recursive: true, force: true });
  }
  expect(service.output).toMatch(/^\.+ end$/);
  expect(service.output.length).toBeLessThan(100_000);
});
