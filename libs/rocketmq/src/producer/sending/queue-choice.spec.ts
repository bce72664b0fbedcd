import { describe, expect, it } from '@jest/globals';
import type { Queue, Route } from '../../client/route.js';
import { candidateQueues } from './queue-choice.js';

function queue(id: number, brokerName: string, change: Partial<Queue> = {}): Queue {
  const endpoint = { addresses: [{ host: brokerName, port: 1 }] };
  const wire = {} as Queue['wire'];
  const base = { topic: 't', id, brokerName, brokerId: 0, endpoint, readable: true, writable: true, types: [], wire };
  return { ...base, ...change };
}

const none = (): boolean => false;
const route = (...queues: Queue[]): Route => ({ topic: 't', queues, types: [], layout: [] });
const two = route(queue(0, 'a'), queue(1, 'a'), queue(0, 'b'), queue(1, 'b'));

describe('candidateQueues', () => {
  it('uses round robin, and tries each broker once', () => {
    const chosen = [0, 1, 2, 3, 4].map((turn) => candidateQueues(two, turn, 3, none));
    expect(chosen.map(([first]) => `${first?.brokerName}${first?.id}`)).toEqual(['a0', 'a1', 'b0', 'b1', 'a0']);
    for (const queues of chosen) expect(queues.map(({ brokerName }) => brokerName).sort()).toEqual(['a', 'b']);
  });

  it('skips queues that are not writable', () => {
    const mixed = route(queue(0, 'a', { writable: false }), queue(0, 'a', { brokerId: 1 }), queue(1, 'a'));
    expect(candidateQueues(mixed, 0, 3, none)).toEqual([mixed.queues[2]]);
    expect(() => candidateQueues(route(queue(0, 'a', { writable: false })), 0, 3, none)).toThrow('[FORBIDDEN]');
  });

  it('skips brokers behind isolated endpoints', () => {
    const isA = ({ addresses }: Queue['endpoint']): boolean => addresses[0]?.host === 'a';
    const chosen = [0, 1, 2, 3].map((turn) => candidateQueues(two, turn, 3, isA));
    expect(chosen.map((queues) => queues.map(({ brokerName }) => brokerName))).toEqual([['b'], ['b'], ['b'], ['b']]);
  });

  it('never skips everything, as when all brokers of a cluster have the same endpoints', () => {
    const chosen = candidateQueues(two, 0, 3, () => true);
    expect(chosen.map(({ brokerName }) => brokerName)).toEqual(['a', 'b']);
  });
});
