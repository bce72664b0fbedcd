import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type PulledQueue, shareOf } from './allocation.js';

const clientIds = fc.uniqueArray(fc.stringMatching(/^[\w.@#-]{1,20}$/), { minLength: 1, maxLength: 12 });
const allQueues = fc
  .array(fc.record({ brokerName: fc.stringMatching(/^[a-c]-\d$/), count: fc.integer({ min: 0, max: 16 }) }))
  .map((brokers) => [...new Map(brokers.map(({ brokerName, count }) => [brokerName, count]))])
  .map((brokers) =>
    brokers.flatMap(([brokerName, count]) =>
      Array.from({ length: count }, (_, queueId): PulledQueue => ({ topic: 'orders', brokerName, queueId })),
    ),
  );
const name = ({ brokerName, queueId }: PulledQueue) => `${brokerName} ${queueId}`;

describe('the share of a member', () => {
  it('leaves no queue without an owner, and gives none to two', () => {
    fc.assert(
      fc.property(clientIds, allQueues, (members, queues) => {
        const shares = members.map((member) => shareOf(member, members, queues).map(name));
        expect(shares.flat().sort()).toEqual(queues.map(name).sort());
        const sizes = shares.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is the same in whatever order a broker lists members and a route lists queues', () => {
    const shuffled = fc.tuple(clientIds, allQueues).chain(([members, queues]) =>
      fc.record({
        members: fc.constant(members),
        queues: fc.constant(queues),
        otherMembers: fc.shuffledSubarray([...members, ...members], { minLength: members.length * 2 }),
        otherQueues: fc.shuffledSubarray(queues, { minLength: queues.length }),
      }),
    );
    fc.assert(
      fc.property(shuffled, ({ members, queues, otherMembers, otherQueues }) => {
        const [member = ''] = members;
        expect(shareOf(member, otherMembers, otherQueues)).toEqual(shareOf(member, members, queues));
      }),
    );
  });

  it('is the run of sorted queues that Java and Go clients take', () => {
    const queues = [0, 1, 2, 3, 4, 5, 6, 7].map((queueId) => ({ topic: 'orders', brokerName: 'broker-a', queueId }));
    const ids = (member: string) =>
      shareOf(member, ['10.0.0.9@7', '10.0.0.10@7', 'a'], queues).map((one) => one.queueId);
    expect([ids('10.0.0.10@7'), ids('10.0.0.9@7'), ids('a'), ids('stranger')]).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
      [],
    ]);
  });
});
