// A handler that blocks the event loop with a real Apache RocketMQ, which continues meanwhile. Runs with `npm run test:rocketmq` only.

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { playBlockedLoop } from '../support/blocked-loop.js';
import { withAdmin } from '../support/real-server.js';
import { afterSuspension, playSuspension, SUSPENSION_MS } from '../support/suspension.js';

describe('a handler that blocks the event loop', () => {
  it('for longer than its lease does not ack silently: it is reported, and the message is redelivered; a longer lease lasts', async () => {
    const name = `blocked-${randomBytes(4).toString('hex')}`;
    const groups = { short: `${name}-short`, byDefault: `${name}-default` };
    await withAdmin(async (admin) => {
      await admin.createTopic({ topic: name, type: 'normal' });
      for (const consumerGroup of Object.values(groups)) await admin.createGroup({ consumerGroup });
    });
    expect(await playBlockedLoop(process.env.ROCKETMQ_TEST_ENDPOINTS ?? '', name, groups)).toEqual({
      short: ['attempt 1', 'unsettled ack', 'attempt 2'],
      byDefault: ['attempt 1'],
    });
  });
});

describe('a process that is suspended', () => {
  it(
    'handles and returns nothing of what its polls brought meanwhile when the leases are over: others have handled it',
    async () => {
      const name = `suspended-${randomBytes(4).toString('hex')}`;
      const names = { ordinary: `${name}-a`, ordered: `${name}-b`, received: `${name}-c` };
      await withAdmin(async (admin) => {
        for (const topic of Object.values(names)) {
          const isOrdered = topic === names.ordered;
          await admin.createTopic({ topic, type: isOrdered ? 'fifo' : 'normal' });
          await admin.createGroup({ consumerGroup: topic, fifo: isOrdered });
        }
      });
      const endpoints = process.env.ROCKETMQ_TEST_ENDPOINTS ?? '';
      expect(await playSuspension(endpoints, names)).toEqual(afterSuspension(names));
    },
    SUSPENSION_MS,
  );
});
