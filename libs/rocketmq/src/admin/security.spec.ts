import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../../test/fixtures/certificates.js';
import { startScriptedServer } from '../../../../test/fixtures/scripted-remoting-server.js';
import { forwardTo } from '../../../../test/fixtures/tcp-forwarder.js';
import { EmbeddedBroker } from '../broker/embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../broker/embedded-broker-options.js';
import { signed } from '../remoting/signature.js';
import { RocketMQAdmin, type RocketMQAdminOptions } from './rocketmq-admin.js';

const authority = new CertificateAuthority();
const ca = authority.cert;
const SUPER = { accessKey: 'root', secretKey: 'secret', isSuper: true };

describe('a signed request', () => {
  it.each([
    ['an object', { topic: 'orders', perm: '6' }],
    ['JSON', '{"topic":"orders","perm":"6"}'],
  ])('is signed over the values sorted by name, then the body, with fields as %s', (_, asked) => {
    const request = { code: 17, fields: asked, body: Buffer.from('{}') };
    const { fields } = signed(request, { accessKey: 'root', secretKey: 'secret', sessionToken: 'token' });
    // printf 'roottoken6orders{}' | openssl dgst -sha1 -hmac secret -binary | base64
    expect(fields).toEqual({
      topic: 'orders',
      perm: '6',
      AccessKey: 'root',
      SecurityToken: 'token',
      Signature: '/Hg3h7QK7oZDP4P056wlTlCu92Q=',
    });
  });
});

describe('administration of a broker that requires credentials and certificates', () => {
  const closers: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  afterAll(() => authority.remove());

  async function create(broker: EmbeddedBrokerOptions, options: Partial<RocketMQAdminOptions>): Promise<void> {
    const embedded = new EmbeddedBroker({ ...broker, nameServerPort: 0 });
    closers.push(() => embedded.stop());
    await embedded.start();
    const admin = new RocketMQAdmin({ nameServer: embedded.nameServerEndpoint, ...options });
    closers.push(() => admin.close());
    await admin.createTopic({ topic: 'orders', type: 'normal', queues: 1 });
  }

  it('works with both', async () => {
    const tls = { ca, ...authority.issue() };
    const broker = { tls: { ...authority.issue(), clientCa: ca }, users: [SUPER] };
    await create(broker, { tls, credentials: async () => SUPER });
  });

  it('does not mistake a broken connection for missing TLS where both are served', async () => {
    const embedded = new EmbeddedBroker({ nameServerPort: 0 });
    closers.push(() => embedded.stop());
    await embedded.start();
    const forwarder = await forwardTo(Number(embedded.nameServerEndpoint.split(':')[1]), (answer) => {
      if (forwarder.connections() === 1) forwarder.reset();
      return answer;
    });
    closers.push(() => forwarder.close());
    const admin = new RocketMQAdmin({ nameServer: `127.0.0.1:${forwarder.port}` });
    closers.push(() => admin.close());
    await expect(admin.describeTopic('orders')).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    await expect(admin.describeTopic('orders')).resolves.toBeUndefined();
  });

  it('calls the provider again when a key was rejected', async () => {
    const answers = [{ ...SUPER, secretKey: 'of yesterday' }, SUPER];
    await create({ users: [SUPER] }, { credentials: () => answers.shift() ?? SUPER });
  });

  it.each<[string, EmbeddedBrokerOptions, Partial<RocketMQAdminOptions>, string]>([
    ['no certificate', { tls: { ...authority.issue(), clientCa: ca } }, { tls: { ca } }, 'TLS_FAILED'],
    ['plaintext', { tls: authority.issue() }, {}, 'TLS_FAILED'],
    ['no key', { users: [SUPER] }, {}, 'NO_PERMISSION'],
    ['an unsound provider', { users: [SUPER] }, { credentials: () => ({}) as typeof SUPER }, 'ILLEGAL_CREDENTIALS'],
  ])('is rejected with %s', async (_, broker, options, code) => {
    await expect(create(broker, options)).rejects.toMatchObject({ code, retryable: false });
  });

  it('suggests to check TLS when a server aborts the handshake', async () => {
    const server = await startScriptedServer(() => undefined);
    closers.push(() => server.close());
    const admin = new RocketMQAdmin({ nameServer: server.address, tls: { ca } });
    closers.push(() => admin.close());
    const failed = admin.createTopic({ topic: 'orders', type: 'normal', queues: 1 });
    await expect(failed).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(failed).rejects.toThrow('that it uses TLS');
  });

  it('does not reveal keys', async () => {
    const failed = create({ users: [SUPER] }, { credentials: { accessKey: 'root', secretKey: 'hidden' } });
    await expect(failed).rejects.toThrow('check credentials.secretKey');
    await expect(failed).rejects.not.toThrow('hidden');
  });
});
