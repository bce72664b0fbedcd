// The value of a field of local time, in the hour that is repeated when clocks are set back. The time zone is that of a process of its own.

import { execFileSync } from 'node:child_process';
import { expect, it } from '@jest/globals';
import { TYPESCRIPT_ARGS } from '../../../tools/typescript/typescript-args.js';

function inBerlin(code: string): unknown {
  const program = `const { fromLocalInput, localInput } = await import('./libs/console/web/lib/format.ts'); console.log(JSON.stringify(${code}));`;
  const args = [...TYPESCRIPT_ARGS, '--input-type=module', '-e', program];
  return JSON.parse(execFileSync(process.execPath, args, { env: { ...process.env, TZ: 'Europe/Berlin' } }).toString());
}

// 02:30 comes twice on this day: at 00:30 and at 01:30 UTC.
const [FIRST, SECOND] = [Date.parse('2026-10-25T00:30:00Z'), Date.parse('2026-10-25T01:30:00Z')];
const TEN_MINUTES_MS = 600_000;

it('an edited time stays in the hour that was shown, the first or the second', () => {
  const times = `[${FIRST}, ${SECOND}].map((ms) => [localInput(ms), fromLocalInput(localInput(ms), ms), fromLocalInput(localInput(ms + ${TEN_MINUTES_MS}), ms)])`;
  expect(inBerlin(times)).toEqual([
    ['2026-10-25T02:30:00', FIRST, FIRST + TEN_MINUTES_MS],
    ['2026-10-25T02:30:00', SECOND, SECOND + TEN_MINUTES_MS],
  ]);
});

it('other times have one meaning', () => {
  const ms = Date.parse('2026-03-29T10:00:00Z');
  expect(inBerlin(`[fromLocalInput(localInput(${ms}), 0), fromLocalInput('2026-10-25T03:30:00', 0)]`)).toEqual([
    ms,
    Date.parse('2026-10-25T02:30:00Z'),
  ]);
});
