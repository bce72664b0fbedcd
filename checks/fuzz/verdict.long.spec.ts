import { describe, expect, it } from '@jest/globals';
import { Code } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { rpcMethod } from '../../libs/rocketmq/src/protocol/grpc/rpc.js';
import { framed } from '../../tools/wire/http2-peer.js';
import { Coverage, outcomeOf } from './coverage.js';
import { MAX_GROWTH_BYTES, MAX_YARDSTICKS, type RunFacts, summary, violations } from './verdict.js';

const sound: RunFacts = {
  requests: 100,
  seed: 7,
  durationMs: 1_000,
  brokerEnd: undefined,
  errors: [],
  goodClientFailures: [],
  goodClients: 2,
  memoryBeforeBytes: 50_000_000,
  memoryAfterBytes: 50_000_000 + MAX_GROWTH_BYTES,
  busiest: { cpuMs: 100 * MAX_YARDSTICKS, requests: ['7 receiveMessage'] },
  yardstickCpuMs: 100,
  holdings: [{ broker: 'with users', heldBytes: 60_000_000, maxBytes: 60_000_000 }],
  gaps: [],
  faults: [],
};

describe('the verdict of a run', () => {
  it('is sound when nothing broke', () => {
    expect(violations(sound)).toEqual([]);
    expect(summary(sound)).toMatch(/^100 requests in 1 s, seed 7, .*: sound$/);
  });

  it.each<[string, Partial<RunFacts>, RegExp]>([
    ['a crash', { brokerEnd: 'SIGABRT' }, /crashed: SIGABRT/],
    ['an error that the broker wrote', { errors: ['broker: x'] }, /logged an error: broker: x/],
    ['a hang', { goodClientFailures: ['it took too long'] }, /not served: it took too long/],
    ['no good client at all', { goodClients: 0 }, /no good client/],
    ['a leak', { memoryAfterBytes: 50_000_001 + MAX_GROWTH_BYTES }, /leaks: from 47.7 to 63.7 MB/],
    ['a broker that does not report its memory', { memoryAfterBytes: undefined }, /did not report/],
    [
      'a request that takes long',
      { busiest: { cpuMs: 100 * MAX_YARDSTICKS + 1, requests: ['7 receiveMessage'] } },
      /401 ms of CPU, .*one of: 7 receiveMessage/,
    ],
    ['a broker that does not report its work', { yardstickCpuMs: 0 }, /did not report its work/],
    [
      'too much held for unfinished requests',
      { holdings: [{ broker: 'with users', heldBytes: 60_000_001, maxBytes: 60_000_000 }] },
      /with users holds too much/,
    ],
    ['an RPC that was not reached', { gaps: ['ackMessage never did'] }, /not covered: ackMessage/],
    ['an answer that shows a fault', { faults: ['x is not a function'] }, /fault of the broker: x is not/],
  ])('reports %s', (_, facts, what) => {
    expect(violations({ ...sound, ...facts })).toEqual([expect.stringMatching(what)]);
    expect(summary({ ...sound, ...facts })).toContain('NOT SOUND (1)');
  });
});

describe('the coverage', () => {
  const heartbeat = (code: Code, message = '') => {
    const data = framed(rpcMethod('heartbeat').response.encode({ status: { code, message } }).finish());
    return outcomeOf('heartbeat', { status: '0', message: undefined, data });
  };

  it('classifies answers', () => {
    const none = Buffer.alloc(0);
    expect(heartbeat(Code.OK)).toEqual({ kind: 'ok' });
    expect(heartbeat(Code.BAD_REQUEST, 'no')).toEqual({ kind: 'rejected', by: 'BAD_REQUEST', message: 'no' });
    const internal = { kind: 'rejected', by: 'gRPC INTERNAL', message: 'x' };
    expect(outcomeOf('heartbeat', { status: '13', message: 'x', data: none })).toEqual(internal);
    expect(outcomeOf('heartbeat', { status: undefined, message: undefined, data: none })).toEqual({
      kind: 'unanswered',
    });
  });

  it('has a gap until an RPC both succeeded and rejected something', () => {
    const coverage = new Coverage();
    const gaps = () => coverage.gaps().filter((gap) => gap.startsWith('heartbeat'));
    expect(gaps()).toHaveLength(2);
    coverage.add('heartbeat', heartbeat(Code.OK));
    expect(gaps()).toEqual(['heartbeat never rejected anything']);
    coverage.add('heartbeat', heartbeat(Code.BAD_REQUEST));
    expect(gaps()).toEqual([]);
  });

  it('keeps answers that are caused by a bug', () => {
    const coverage = new Coverage();
    const text = "Cannot read properties of undefined (reading 'x')";
    coverage.add('heartbeat', heartbeat(Code.INTERNAL_SERVER_ERROR, text));
    expect([...coverage.faults]).toEqual([`heartbeat: INTERNAL_SERVER_ERROR: ${text}`]);
  });
});
