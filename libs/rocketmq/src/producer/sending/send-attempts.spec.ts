import { setImmediate } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import type { Client } from '../../client/client.js';
import { Deadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import { silentLogger } from '../../support/logger.js';
import type { DurabilityWatch } from './durability.js';
import { type PreparedMessage, SendAttempts, type SendPolicy } from './send-attempts.js';
import { MIN_SEND_MS } from './send-turns.js';

it('no attempt begins when too little time is left for its answer: the send has failed as not sent', async () => {
  const deadline = new Deadline('send to "orders"', 30);
  const failure = new TransportError('MESSAGE_GROUP_UNAVAILABLE', 'its broker is missing', 'not-sent', true);
  let attempts = 0;
  const client = {
    connection: { logger: silentLogger, random: { next: () => 0 } },
    knownRoute: () => undefined,
    route: async () => {
      attempts++;
      await setImmediate();
      throw failure;
    },
    renewRoute: () => {},
    pauseUnlessRejoined: async () => {
      while (deadline.remainingMs() >= MIN_SEND_MS) await setImmediate();
    },
  } as unknown as Client;
  const sends = new SendAttempts(client, { maxAttempts: 3 } as SendPolicy, 'safe' as never, {} as DurabilityWatch);
  const prepared = {
    message: { topic: 'orders', messageGroup: 'a' },
    type: 'fifo',
    half: undefined,
  } as PreparedMessage;
  const sent = sends.send(prepared, undefined as never, { leave() {} } as never, deadline);
  await expect(sent).rejects.toBe(failure);
  expect(attempts).toBe(1);
  deadline.dispose();
});
