import { describe, expect, it } from '@jest/globals';
import { encodeFrame } from '../../libs/rocketmq/src/protocol/remoting/frame.js';
import { renamed } from './app-link.js';

const NAMES = [
  ['127.0.0.1:20003', '127.0.0.1:20007'],
  ['127.0.0.1:20007', '127.0.0.1:20008'],
] as const;

describe('the addresses in the answers of a name server', () => {
  const frame = encodeFrame({ code: 0, opaque: 1, body: Buffer.from('{"brokerAddrs":{"0":"127.0.0.1:20003"}}') });

  it('are replaced, each once, however the stream is cut', () => {
    const wanted = Buffer.concat([frame, frame]).toString('latin1').replaceAll(':20003', ':20007');
    for (let cut = 0; cut <= frame.length; cut++) {
      const rewrite = renamed(NAMES);
      const parts = [frame.subarray(0, cut), Buffer.concat([frame.subarray(cut), frame])];
      expect(Buffer.concat(parts.map(rewrite)).toString('latin1')).toBe(wanted);
    }
  });

  it('must be replaced by addresses of the same length', () => {
    expect(() => renamed([['127.0.0.1:9876', '127.0.0.1:20000']])).toThrow('differ in length');
  });
});
