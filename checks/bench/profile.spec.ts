// The shares of this repository's code in a CPU profile.

import { describe, expect, it } from '@jest/globals';
import { partsOf, sharesOf } from './lib/profile.js';

const frame = (functionName: string, url: string) => ({ functionName, url, lineNumber: 6 });
const here = `file://${process.cwd()}`;

describe('the shares of a profile', () => {
  const nodes = [
    { id: 1, callFrame: frame('(root)', ''), children: [2, 5, 6] },
    { id: 2, callFrame: frame('send', `${here}/libs/send.js`), children: [3] },
    { id: 3, callFrame: frame('request', 'node:http2'), children: [4] },
    { id: 4, callFrame: frame('encode', `${here}/node_modules/protobuf/x.js`) },
    { id: 5, callFrame: frame('(garbage collector)', '') },
    { id: 6, callFrame: frame('(idle)', '') },
  ];
  const profile = { nodes, samples: [2, 3, 4, 5, 6], timeDeltas: [10, 20, 30, 40, 900] };
  const { own, charged } = sharesOf(profile);

  it('exclude idle time', () => {
    expect(own).toEqual([
      { percent: 40, place: '(garbage collector)' },
      { percent: 30, place: 'encode node_modules/protobuf/x.js:7' },
      { percent: 20, place: 'request node:http2:7' },
      { percent: 10, place: 'send libs/send.js:7' },
    ]);
  });

  it('attribute the time of Node.js and packages to the code that called them', () => {
    expect(charged).toEqual([
      { percent: 60, place: 'send libs/send.js:7' },
      { percent: 40, place: '(garbage collector)' },
    ]);
  });

  it('are those of parts, with what they have called and what no part claims', () => {
    const partOf = ({ functionName, url }: { functionName: string; url: string }) => {
      if (url.startsWith('node:http2')) return 'wire';
      return functionName === 'send' ? 'business' : undefined;
    };
    expect(partsOf(profile, partOf)).toEqual([
      { percent: 50, place: 'wire' },
      { percent: 40, place: '(garbage collector)' },
      { percent: 10, place: 'business' },
    ]);
  });

  it('belong to Node.js where no part has called it', () => {
    const read = [
      { id: 1, callFrame: frame('(root)', ''), children: [2] },
      { id: 2, callFrame: frame('read', 'node:net') },
    ];
    const one = { nodes: read, samples: [2], timeDeltas: [10] };
    expect(partsOf(one, () => undefined)).toEqual([{ percent: 100, place: 'Node.js' }]);
  });
});
