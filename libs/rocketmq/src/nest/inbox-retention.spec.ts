import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { closeApp } from '../../../../test/fixtures/close-app.js';
import { RocketMQListener, RocketMQModule, type RocketMQModuleOptions } from '../entries/nest.js';
import { Inbox } from '../sql/inbox.js';
import { HOUR_MS, SECOND_MS } from '../support/clock.js';
import { silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';

let broker: TestBroker;
let app: TestingModule | undefined;

beforeEach(async () => {
  broker = await TestBroker.start();
});
afterEach(async () => {
  await closeApp(app);
  app = undefined;
  await broker.stop();
});

@Injectable()
class Stock {
  @RocketMQListener('orders')
  reserve(): void {}
}

async function start(options: Partial<RocketMQModuleOptions>): Promise<void> {
  const { endpoints } = broker;
  const module = RocketMQModule.forRoot({ endpoints, consumerGroup: 'stock', logger: silentLogger, ...options });
  app = await Test.createTestingModule({ imports: [module], providers: [Stock] }).compile();
  await app.init();
}

const shortPolicy = { maxAttempts: 3, backoff: SECOND_MS };

describe('the option inbox', () => {
  it('fails the startup when the inbox deletes keys while the policy of a listener still allows redeliveries, and names both durations', async () => {
    const inbox = new Inbox({ retentionMs: HOUR_MS, retryPolicy: shortPolicy });
    broker.declareGroup({ name: 'stock', maxDeliveryAttempts: 17, backoff: { kind: 'customized', nextMs: [HOUR_MS] } });
    // 16 hours of delays, and 17 attempts of a lease each.
    await expect(start({ inbox })).rejects.toThrow(
      /retentionMs is 3600000 ms.*listener Stock\.reserve.*is 58110000 ms/,
    );
  });

  it("uses the listener's own policy where it has one", async () => {
    const inbox = new Inbox({ retentionMs: HOUR_MS, retryPolicy: shortPolicy });
    await expect(start({ inbox, defaults: shortPolicy })).resolves.toBeUndefined();
    await app?.close();
    const defaults = { ...shortPolicy, handlerTimeoutMs: HOUR_MS };
    await expect(start({ inbox, defaults })).rejects.toMatchObject({ code: 'RETENTION_TOO_SHORT' });
  });

  it('accepts an inbox with its defaults for a group with those of the server', async () => {
    await expect(start({ inbox: new Inbox() })).resolves.toBeUndefined();
  });

  it('is rejected when it is not an inbox', async () => {
    await expect(start({ inbox: {} as Inbox })).rejects.toThrow(/option inbox/);
  });
});
