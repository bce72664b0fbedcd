import { describe, expect, it } from '@jest/globals';
import { BLOCKED_LOOP_MS, playBlockedLoop } from '../../../../test/fixtures/blocked-loop.js';
import { afterSuspension, playSuspension, SUSPENSION_MS } from '../../../../test/fixtures/suspension.js';
import { EmbeddedBroker } from '../broker/embedded-broker.js';

describe('a handler that blocks the event loop', () => {
  it(
    'for longer than its lease does not acknowledge silently: the loss is reported, and the message is redelivered; a longer lease holds',
    async () => {
      const broker = new EmbeddedBroker({});
      await broker.start();
      try {
        const journals = await playBlockedLoop(broker.endpoints, 'orders', { short: 'short', byDefault: 'by-default' });
        expect(journals).toEqual({ short: ['delivery', 'unsettled ack', 'redelivery'], byDefault: ['delivery'] });
      } finally {
        await broker.stop();
      }
    },
    BLOCKED_LOOP_MS,
  );
});

describe('a process that is suspended', () => {
  it(
    'handles and returns nothing of what its polls brought meanwhile when the leases are over: others have handled it',
    async () => {
      const names = { ordinary: 'orders', ordered: 'steps', received: 'returns', batched: 'prices', lite: 'chats' };
      const broker = new EmbeddedBroker({
        topics: [
          { name: names.ordered, type: 'fifo' },
          { name: names.lite, type: 'lite' },
        ],
        groups: [
          { name: names.ordered, fifo: true },
          { name: names.lite, lite: { topic: names.lite } },
        ],
      });
      await broker.start();
      try {
        expect(await playSuspension(broker.endpoints, names)).toEqual(afterSuspension(names));
      } finally {
        await broker.stop();
      }
    },
    SUSPENSION_MS,
  );
});
