// Runs h2spec against an embedded broker, and judges what it reports.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import { cacheFolder } from '../../libs/rocketmq/src/cli/server/jars.js';
import { CommandFailure, run } from '../../tools/process/run-command.js';
import type { Counts, Tools } from '../check.js';

const H2SPEC = 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible';
const TIMEOUT_SECONDS = 3;
const HEADERS_ONLY =
  'gRPC answers what it rejects with headers that end the stream, not with data; the frame was accepted';

/** What h2spec counts as errors although the RFCs allow it, and why. */
const LEGAL: Readonly<Record<string, string>> = {
  'Sends a WINDOW_UPDATE frame on half-closed (remote) stream': HEADERS_ONLY,
  'Sends a PRIORITY frame on half-closed (remote) stream': HEADERS_ONLY,
  'Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded':
    'each stream is answered and ended before the next one, so the limit is not reached',
};

/** The embedded broker's side. @returns its cases */
export async function runH2spec({ folder, print }: Tools): Promise<Counts> {
  const GOMODCACHE = join(cacheFolder(), 'go-modules');
  const env = { ...process.env, GOBIN: folder, GOMODCACHE, GOFLAGS: '-mod=mod -modcacherw' };
  await run('go', ['install', H2SPEC], { cwd: folder, env });
  const broker = new EmbeddedBroker();
  await broker.start();
  const report = join(folder, 'report.xml');
  try {
    const [host = '', port = ''] = broker.endpoints.split(':');
    const args = ['--strict', '-h', host, '-p', port, '-o', String(TIMEOUT_SECONDS), '-j', report];
    // It ends with 1 when a case has failed.
    await run(join(folder, 'h2spec'), args).catch((error: unknown) => {
      if (!(error instanceof CommandFailure)) throw error;
    });
  } finally {
    await broker.stop();
  }
  const counts = { passed: 0, failed: 0 };
  for (const { section, title, end } of casesIn(readFileSync(report, 'utf8'))) {
    const why = LEGAL[title];
    if (end === 'skipped') continue;
    const isSound = end === undefined || why !== undefined;
    counts[isSound ? 'passed' : 'failed']++;
    if (end !== undefined) print(`${isSound ? 'legal' : 'FAILED'}: ${section} ${title}: ${why ?? end}`);
  }
  return counts;
}

/** @param report in the format of JUnit. @returns each case: `end` is `skipped`, or what came in place of what was expected */
function casesIn(report: string): { section: string; title: string; end: string | undefined }[] {
  const cases = report.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g);
  return [...cases].map(([, section = '', title = '', inner = '']) => {
    const isSkipped = inner.includes('<skipped>');
    const [, problem] = /<(?:error|failure)[^>]*>([\s\S]*?)</.exec(inner) ?? [];
    return { section, title, end: isSkipped ? 'skipped' : problem?.trim() };
  });
}
