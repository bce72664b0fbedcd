// A handler that blocks the event loop with a real Apache RocketMQ, which continues meanwhile. Runs with `npm run test:rocketmq` only.

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { playBlockedLoop } from '../support/blocked-loop.js';
import { withAdmin } from '../support/real-server.js';

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
