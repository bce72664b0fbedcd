// Replays that take longer than --timeout, and what the plan of one keeps.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { call, words } from '../../../../test/fixtures/command-line.js';
import { deadLetterScript } from '../../../../test/fixtures/dead-letter-script.js';
import { ScriptedCluster } from '../../../../test/fixtures/scripted-cluster.js';
import type { ScriptedReply, ScriptedRequest } from '../../../../test/fixtures/scripted-remoting-server.js';
import { decodeProperties } from '../protocol/remoting/stored-message.js';

const SEND = 10;
const LOOK_UP = 12;
const MEGABYTE = 1e6;
const cluster = new ScriptedCluster();
const folder = mkdtempSync(join(tmpdir(), 'slow-replay-'));
afterEach(() => cluster.close());
afterAll(() => rmSync(folder, { recursive: true }));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** `LOOK_UP id-2`, `SEND id-2`. */
function nameOf({ code, fields }: ScriptedRequest): string | undefined {
  if (code === LOOK_UP) return `LOOK_UP ${fields.key}`;
  return code === SEND ? `SEND ${decodeProperties(fields.properties ?? '').get('UNIQ_KEY')}` : undefined;
}

/** @param leave answers a request otherwise; `undefined` leaves it unanswered, `'usual'` answers it */
async function opened(count: number, leave: (name: string, times: number) => ScriptedReply | 'usual') {
  const script = deadLetterScript(count);
  const asked = new Map<string, number>();
  const { nameServer } = await cluster.start([
    (request) => {
      const name = nameOf(request);
      if (name === undefined) return script(request);
      const times = (asked.get(name) ?? 0) + 1;
      asked.set(name, times);
      const special = leave(name, times);
      // A send that is not answered is stored all the same.
      const usual = special === 'usual' || special === undefined ? script(request) : special;
      return special === 'usual' ? usual : special;
    },
  ]);
  const on = (line: string, timeoutMs: number) =>
    call([...words(line), '--name-server', nameServer.address, '--timeout', String(timeoutMs)]);
  return { on, timesOf: (name: string) => asked.get(name) ?? 0 };
}

/** Each of these requests is not answered when it comes for the first time. */
const SLOW = ['LOOK_UP id-2', 'SEND id-4'];
const slowOnce = (name: string, times: number) => (SLOW.includes(name) && times === 1 ? undefined : 'usual');

describe('a replay that takes longer than --timeout', () => {
  it('continues with a new deadline while each finishes a dead letter, and sends each of them once', async () => {
    const { on, timesOf } = await opened(6, slowOnce);
    expect(await on('dlq replay billing --yes', 4_000)).toEqual({
      code: 0,
      // The one whose send was not answered is found.
      out: '5 dead letters replayed, 1 skipped because they already were, 0 failed\n',
      err: '',
    });
    for (let index = 0; index < 6; index++) expect(timesOf(`SEND id-${index}`)).toBe(1);
    expect(timesOf('LOOK_UP id-1')).toBe(1);
  });

  it('is the same for an import', async () => {
    const { on, timesOf } = await opened(6, slowOnce);
    const file = join(folder, 'billing.jsonl');
    expect(await on(`dlq export billing ${file}`, 60_000)).toMatchObject({ code: 0 });
    expect(await on(`dlq import ${file} --yes`, 4_000)).toEqual({
      code: 0,
      out: '5 dead letters replayed, 1 skipped because they already were, 0 failed\n',
      err: '',
    });
    for (let index = 0; index < 6; index++) expect(timesOf(`SEND id-${index}`)).toBe(1);
    expect(timesOf('LOOK_UP id-1')).toBe(1);
  });

  it('sends one once more with --again when its send was not answered, and says so', async () => {
    const { on, timesOf } = await opened(6, slowOnce);
    expect(await on('dlq replay billing --again --yes', 4_000)).toEqual({
      code: 0,
      out: '6 dead letters replayed, 0 skipped because they already were, 0 failed\n',
      err: 'warning: whether id-4 of billing was sent is unknown; it is sent once more, and may arrive twice\n',
    });
    expect([timesOf('SEND id-3'), timesOf('SEND id-4'), timesOf('SEND id-5')]).toEqual([1, 2, 1]);
  });

  it('gives up when one dead letter takes longer, and names --timeout', async () => {
    const { on, timesOf } = await opened(6, (name) => (name === 'LOOK_UP id-2' ? undefined : 'usual'));
    const { code, out, err } = await on('dlq replay billing --yes --json', 3_000);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      done: false,
      replayed: [{ messageId: 'id-0' }, { messageId: 'id-1' }],
    });
    const [warning, failure] = err.split('\n').map((line) => line && JSON.parse(line));
    expect(warning.warning).toBe(
      '2 dead letters replayed before the failure below; running the same command again skips them',
    );
    expect(failure.error).toMatchObject({
      code: 'REPLAY_INTERRUPTED',
      message: expect.stringContaining(
        'no dead letter was finished within --timeout 3000; run the same command again with a larger --timeout',
      ),
    });
    expect(err).not.toContain('done.next');
    expect(timesOf('LOOK_UP id-2')).toBe(2);
  });

  it('says that the one in flight is unknown when that cannot be looked up, either', async () => {
    const { on } = await opened(3, (name, times) => {
      const isSilent = name === 'SEND id-1' || (name === 'LOOK_UP id-1' && times > 1);
      return isSilent ? undefined : 'usual';
    });
    const { code, err } = await on('dlq replay billing --yes', 3_000);
    expect(code).toBe(1);
    expect(err).toContain('1 dead letter replayed before the failure below; whether id-1 of billing was sent, too, is');
  });

  it('ends at any other failure', async () => {
    const { on, timesOf } = await opened(3, (name) => (name === 'SEND id-1' ? { code: 2, remark: 'busy' } : 'usual'));
    const { code, err } = await on('dlq replay billing --yes', 60_000);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('[REPLAY_INTERRUPTED] the replay ended') });
    expect(err).toContain('busy');
    expect(err).not.toMatch(/done\.next|--timeout/);
    expect(timesOf('LOOK_UP id-1')).toBe(1);
  });
});

describe('the plan of a replay', () => {
  it.each([
    ['', 'a usual topic', '80 dead letters would be replayed'],
    [' --json', 'a usual topic', '"messageId": "id-79"'],
    [' --json', 'a read-only topic', 'may not be written to'],
  ])('keeps no bodies: dlq replay billing%s, of %s', async (json, topic, expected) => {
    const body = 'x'.repeat(MEGABYTE / 2);
    const { nameServer, protect } = await cluster.start([deadLetterScript(80, () => body)]);
    if (topic === 'a read-only topic') protect();
    let kept = Number.NaN;
    const args = words(`dlq replay billing${json} --name-server ${nameServer.address} --timeout 60000`);
    collect();
    const before = process.memoryUsage().arrayBuffers;
    const { code, out } = await call(args, {}, () => {
      // One alone leaves what is freed beside it.
      for (let times = 0; times < 4; times++) collect();
      kept = process.memoryUsage().arrayBuffers - before;
      return false;
    });
    expect(code).toBe(0);
    expect(out).toContain(expected);
    // All bodies are 40 MB, and those of one answer, which may be freed later, are 16.
    expect(kept).toBeLessThan(20 * MEGABYTE);
  });
});
