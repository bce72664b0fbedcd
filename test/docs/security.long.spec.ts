// The guide to security: its examples run.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { RocketMQProducer } from 'nestjs-rocketmq';
import type { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { securedBroker } from '../../docs/examples/secured-broker.js';
import { securedShop } from '../../docs/examples/secured-shop.js';
import { CertificateAuthority } from '../fixtures/certificates.js';

describe('the guide to security', () => {
  let app: TestingModule | undefined;
  let broker: EmbeddedBroker | undefined;
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));

  afterEach(async () => {
    await app?.close();
    await broker?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

  it('has a shop that sends under the key of the day, to the topics that are its own', async () => {
    const authority = new CertificateAuthority();
    write('ca.crt', authority.cert);
    for (const name of ['shop', 'broker']) {
      const { cert, key } = authority.issue();
      write(`${name}.crt`, cert);
      write(`${name}.key`, key);
    }
    authority.remove();
    write('rocketmq.json', JSON.stringify({ accessKey: 'shop', secretKey: 'shop-secret' }));
    broker = await securedBroker(folder);
    app = await Test.createTestingModule({ imports: [securedShop(broker.endpoints, folder)] }).compile();
    await app.init();
    const producer = app.get(RocketMQProducer);
    await producer.send({ topic: 'order-paid', body: 'one' });

    const tomorrow = { accessKey: 'shop', secretKey: 'of tomorrow' };
    write('rocketmq.json', JSON.stringify(tomorrow));
    broker.declareUser({ ...tomorrow, permissions: [{ resource: 'Topic:order-paid', actions: ['Pub'] }] });
    await producer.send({ topic: 'order-paid', body: 'two' });

    const rejected = producer.send({ topic: 'order-archive', body: 'three' });
    await expect(rejected).rejects.toThrow(
      'grant "shop" the action PUB (to send) or SUB (to receive) on topic "order-archive"',
    );
  });
});
