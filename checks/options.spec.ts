// The command lines of the checks: what is taken, what is rejected with the name of the option, and what --help shows.

import { describe, expect, it } from '@jest/globals';
import { helpOf, type Options, SEED, valuesIn } from './options.js';

const OPTIONS = {
  long: { type: 'flag', says: 'more of it' },
  rounds: { type: 'integer', max: 100, default: 3, says: 'how many' },
  scale: { type: 'number', says: 'this share' },
  transport: { type: 'choice', among: ['http2', 'remoting'], default: 'http2', says: 'what carries the calls' },
  client: { type: 'list', among: ['java', 'go'], says: 'these' },
  only: { type: 'list', says: 'what begins so' },
  out: { type: 'text', value: 'FOLDER', says: 'where the report goes' },
  seed: SEED,
} as const satisfies Options;

describe('the options of a check', () => {
  it('have their defaults', () => {
    expect(valuesIn(OPTIONS, []).values).toEqual({ long: false, rounds: 3, transport: 'http2' });
  });

  it('are taken in both forms', () => {
    const args = ['--long', '--rounds=5', '--scale', '0.5', '--client', 'go,java,go', '--only', 'a,b', '--out', 'x'];
    expect(valuesIn(OPTIONS, args).values).toEqual({
      long: true,
      rounds: 5,
      scale: 0.5,
      transport: 'http2',
      client: ['go', 'java'],
      only: ['a', 'b'],
      out: 'x',
    });
  });

  it.each([
    [['--rounds', '0'], '--rounds must be an integer from 1 to 100, not "0"'],
    [['--rounds', '1e3'], '--rounds must be an integer from 1 to 100, not "1e3"'],
    [['--rounds', ' '], '--rounds must be an integer from 1 to 100, not " "'],
    [['--seed', '-1'], '--seed must be an integer from 0 to 4294967295, not "-1"'],
    [['--out', '--long'], '--out needs a value: FOLDER'],
    [['--seed=-1'], '--seed must be an integer from 0 to 4294967295, not "-1"'],
    [['--scale', 'all'], '--scale must be a number above 0, not "all"'],
    [['--transport', 'grpc'], '--transport knows http2, remoting, not "grpc"'],
    [['--client', 'java,rust'], '--client knows java, go, not "rust"'],
    [['--out'], '--out needs a value: FOLDER'],
    [['--long=5'], '--long takes no value, not "5"'],
    [['--sceonds', '3'], 'there is no option --sceonds'],
    [['more'], 'there is no option "more"'],
  ])('reject %j and name what is wrong', (args, message) => {
    expect(() => valuesIn(OPTIONS, args)).toThrow(message);
  });

  it('leave to a check that passes arguments on what is not theirs, in its order', () => {
    const args = ['test/contract', '--rounds', '2', '-t', 'a title', '--json', '--outputFile=x.json', '--', '--long'];
    expect(valuesIn(OPTIONS, args, true)).toMatchObject({
      values: { rounds: 2, long: false },
      rest: ['test/contract', '-t', 'a title', '--json', '--outputFile=x.json', '--long'],
    });
  });

  it('are explained with their choices and defaults', () => {
    expect(helpOf(OPTIONS).slice(0, 5)).toEqual([
      '  --long            more of it',
      '  --rounds N        how many; default 3',
      '  --scale N         this share',
      '  --transport NAME  what carries the calls: http2, remoting; default http2',
      '  --client A,B      these: java, go',
    ]);
  });
});
