import { describe, expect, it } from '@jest/globals';
import { rpcMethod, rpcNames } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { type Attack, hostileRequest } from './hostile-requests.js';
import type { RecordedRequest } from './recording.js';

const recording = rpcNames().map((rpc) => {
  const request = rpcMethod(rpc).request.decode(new Uint8Array());
  return { rpc, clientId: 'fuzz-0', request } as unknown as RecordedRequest;
});
const attack: Attack = { seed: 7, recording };
const requests = (of: Attack, count = 60) => Array.from({ length: count }, (_, number) => hostileRequest(of, number));

describe('hostile requests', () => {
  it('are the same for the same seed, in any order', () => {
    const all = requests(attack);
    expect(requests(attack)).toEqual(all);
    expect(hostileRequest(attack, 41)).toEqual(all[41]);
  });

  it('differ for different seeds', () => {
    expect(requests({ ...attack, seed: 8 })).not.toEqual(requests(attack));
  });

  it('cover every RPC, every ending and both ports', () => {
    const all = requests(attack, 2_000);
    const calls = all.flatMap((request) => (request.kind === 'call' ? [request] : []));
    expect(new Set(calls.map(({ rpc }) => rpc))).toEqual(new Set([...rpcNames(), undefined]));
    expect(new Set(calls.map(({ ending }) => ending))).toEqual(new Set(['half-close', 'reset', 'abandon', 'cut']));
    const ports = all.flatMap((request) => (request.kind === 'bytes' ? [request.port] : []));
    expect(new Set(ports)).toEqual(new Set(['clients', 'admin']));
  });
});
