import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { CertificateAuthority } from '../../../../test/fixtures/certificates.js';
import { EmbeddedBroker } from '../broker/embedded-broker.js';
import { RocketMQModule } from './module/rocketmq.module.js';
import type { RocketMQModuleOptions } from './runtime/rocketmq.interfaces.js';
import { RocketMQProducer } from './sending/rocketmq-producer.js';

const authority = new CertificateAuthority();
const user = { accessKey: 'app', secretKey: 'secret' };

/** Sends a message from an application with these options. */
async function send(options: RocketMQModuleOptions): Promise<string> {
  const app = await Test.createTestingModule({ imports: [RocketMQModule.forRoot(options)] }).compile();
  try {
    await app.init();
    return (await app.get(RocketMQProducer).send({ topic: 'orders', body: 'x' })).messageId;
  } finally {
    await app.close();
  }
}

describe('the module', () => {
  let broker: EmbeddedBroker | undefined;

  afterEach(() => broker?.stop());
  afterAll(() => authority.remove());

  async function secured(): Promise<string> {
    broker = new EmbeddedBroker({ tls: authority.issue(), users: [{ ...user, isSuper: true }] });
    await broker.start();
    return broker.endpoints;
  }

  it('passes TLS and credentials to its connection', async () => {
    const endpoints = await secured();
    const tls = { ca: authority.cert };
    await expect(send({ endpoints, tls, credentials: user })).resolves.toMatch(/^01/);
    await expect(send({ endpoints: `https://${endpoints}`, tls, credentials: async () => user })).resolves.toMatch(
      /^01/,
    );
    await expect(send({ endpoints, tls })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await expect(send({ endpoints, credentials: user })).rejects.toMatchObject({ code: 'TLS_FAILED' });
  });

  it('needs neither with an embedded broker', async () => {
    const credentials = (): never => {
      throw new Error('there is no vault on this machine');
    };
    await expect(send({ endpoints: 'embedded:', tls: true, credentials })).resolves.toMatch(/^01/);
  });
});
