// Histories with violations, and histories that only look like it.

import { describe, expect, it } from '@jest/globals';
import type { Disturbance, HandlingFact, SendFact } from './facts.js';
import {
  mistakenAnswers,
  NEST_GROUPS,
  overruledDecisions,
  repeatedRequests,
  unansweredRequests,
} from './nest-checkers.js';
import type { NestFacts, RequestFact } from './nest-facts.js';

const NOTHING: NestFacts = { sends: [], handlings: [], disturbances: [], decisions: [], requests: [], answers: [] };

function handling(startMs: number, endMs: number | undefined, fields: Partial<HandlingFact> = {}): HandlingFact {
  const end = endMs === undefined ? undefined : 'done';
  return { key: 'm1', group: NEST_GROUPS.manual, process: 'b', attempt: 1, startMs, endMs, end, ...fields };
}

function met(process: string, fromMs: number, untilMs: number): Disturbance {
  return { kind: 'link down', fromMs, untilMs, processes: [process] };
}

describe('a decision of a manual listener', () => {
  const send: SendFact = {
    key: 'm1',
    topic: 'tasks',
    process: 'a',
    atMs: 100,
    timeoutMs: 10_000,
    endMs: 110,
    outcome: 'acknowledged',
  };
  const facts: NestFacts = {
    ...NOTHING,
    sends: [send],
    handlings: [handling(200, 300), handling(5_900, 6_000, { process: 'c', attempt: 2 })],
    decisions: [{ key: 'm1', process: 'b', atMs: 300, decision: 'ack' }],
  };

  it('is overruled when an acked message is delivered again', () => {
    expect(overruledDecisions(facts)).toEqual(['overruled: b acked m1 at 300, and c got it again at 5900']);
  });

  it('is overruled also by a delivery that does not end', () => {
    expect(overruledDecisions({ ...facts, handlings: [handling(200, 300), handling(5_900, undefined)] })).toHaveLength(
      1,
    );
  });

  it.each([
    ['the message was to be retried', { decisions: [{ key: 'm1', process: 'b', atMs: 300, decision: 'retry' }] }],
    ['the other delivery began before', { handlings: [handling(200, 300), handling(250, 6_000)] }],
    ['another message was delivered', { handlings: [handling(200, 300), handling(5_900, 6_000, { key: 'm2' })] }],
    ['it may have been stored twice', { sends: [{ ...send, outcome: 'unknown' }] }],
    ['its acks were disturbed', { disturbances: [met('b', 4_000, 5_000)] }],
  ] satisfies [string, Partial<NestFacts>][])('counts when %s', (_, other) => {
    expect(overruledDecisions({ ...facts, ...other })).toEqual([]);
  });

  it('is overruled despite a disturbance of another process', () => {
    expect(overruledDecisions({ ...facts, disturbances: [met('d', 4_000, 5_000)] })).toHaveLength(1);
  });
});

describe('a request', () => {
  const request: RequestFact = {
    key: 'm1',
    process: 'a',
    atMs: 100,
    timeoutMs: 60_000,
    endMs: 60_100,
    outcome: 'unanswered',
    error: 'DEADLINE_EXCEEDED',
  };
  const handled = handling(200, 300, { group: NEST_GROUPS.requests });
  const facts: NestFacts = { ...NOTHING, requests: [request], answers: [handled] };

  it('is unanswered when it was handled successfully and no answer arrived', () => {
    const text = 'unanswered: a asked m1, b handled it by 300, and no answer came until 60100 (DEADLINE_EXCEEDED)';
    expect(unansweredRequests(facts)).toEqual([text]);
  });

  it.each([
    ['one after the other until shortly before its timeout', 9_000, []],
    ['with enough time for the answer in between', 11_000, [expect.any(String)]],
  ])('has its answer when streams are no longer rejected: %s', (_, fromMs, violations) => {
    const rejections = [met('a', 200, 5_000), met('a', fromMs, 55_500)];
    const disturbances = rejections.map((one) => ({ ...one, only: 'not sent' as const }));
    expect(unansweredRequests({ ...facts, disturbances })).toEqual(violations);
  });

  it('is unanswered when it is still in progress after its timeout', () => {
    expect(
      unansweredRequests({ ...facts, requests: [{ ...request, endMs: undefined, outcome: 'under way' }] }),
    ).toHaveLength(1);
  });

  it('is unanswered when its caller was closed much later', () => {
    expect(unansweredRequests({ ...facts, requests: [{ ...request, outcome: 'abandoned' }] })).toHaveLength(1);
  });

  it('is unanswered when the second handler finished it, too', () => {
    expect(unansweredRequests({ ...facts, answers: [handling(400, 500), handled] })).toHaveLength(1);
  });

  it.each([
    ['it was answered', { requests: [{ ...request, outcome: 'answered' }] }],
    ['who asked was closed soon after', { requests: [{ ...request, endMs: 2_000, outcome: 'abandoned' }] }],
    ['it had too little time', { requests: [{ ...request, endMs: 5_100, timeoutMs: 5_000 }] }],
    ['its handler failed', { answers: [{ ...handled, end: 'failed' }] }],
    ['it was delivered again', { answers: [handled, handling(400, undefined)] }],
    ['nobody got it', { answers: [] }],
    ['its answer was disturbed', { disturbances: [met('a', 2_000, 3_000)] }],
  ] satisfies [string, Partial<NestFacts>][])('is not at fault when %s', (_, other) => {
    expect(unansweredRequests({ ...facts, ...other })).toEqual([]);
  });

  it('is handled again without a reason when it was answered', () => {
    const answered = { ...facts, requests: [{ ...request, endMs: 310, outcome: 'answered' as const }] };
    const answeredTwice = { ...answered, answers: [handled, handling(31_000, 31_100, { process: 'c' })] };
    expect(repeatedRequests(answeredTwice)).toEqual(['asked twice: b handled m1 by 300, and c again at 31000']);
    expect(repeatedRequests(answered)).toEqual([]);
    expect(repeatedRequests({ ...answeredTwice, disturbances: [met('b', 310, 400)] })).toEqual([]);
    expect(repeatedRequests({ ...answeredTwice, requests: [request] })).toEqual([]);
  });

  it('has its own answer', () => {
    expect(mistakenAnswers({ ...facts, requests: [{ ...request, outcome: 'mistaken' }] })).toHaveLength(1);
    expect(mistakenAnswers(facts)).toEqual([]);
  });
});
