import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';

/** A broker that requires keys and certificates from its clients, as a secured cluster does. */
export async function securedBroker(files: string): Promise<EmbeddedBroker> {
  const read = (name: string) => readFileSync(join(files, name));
  const administrator = { accessKey: 'admin', secretKey: 'admin-secret' };
  const broker = new EmbeddedBroker({
    strict: true,
    nameServerPort: 0,
    tls: { cert: read('broker.crt'), key: read('broker.key'), clientCa: read('ca.crt') },
    users: [
      { ...administrator, isSuper: true },
      {
        accessKey: 'shop',
        secretKey: 'shop-secret',
        permissions: [
          { resource: 'Topic:order-*', actions: ['Pub', 'Sub'] },
          { resource: 'Topic:order-archive', actions: ['Pub'], decision: 'deny' },
          { resource: 'Group:shop', actions: ['Sub'] },
        ],
      },
    ],
  });
  await broker.start();

  const tls = { ca: read('ca.crt'), cert: read('shop.crt'), key: read('shop.key') };
  const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint, credentials: administrator, tls });
  await admin.createTopic({ topic: 'order-paid', type: 'normal' });
  await admin.createTopic({ topic: 'order-archive', type: 'normal' });
  await admin.close();
  return broker;
}
