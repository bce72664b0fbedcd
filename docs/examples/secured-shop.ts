import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DynamicModule } from '@nestjs/common';
import { type CredentialsProvider, RocketMQModule } from 'nestjs-rocketmq';

/** @param secrets the folder in which an orchestrator keeps the secrets up to date */
export function securedShop(endpoints: string, secrets: string): DynamicModule {
  // Called every minute, and whenever the server rejects the current key.
  const credentials: CredentialsProvider = async () =>
    JSON.parse(await readFile(join(secrets, 'rocketmq.json'), 'utf8'));
  return RocketMQModule.forRoot({
    endpoints,
    tls: {
      // Functions are called for each new connection, so that certificates can be rotated.
      ca: () => readFileSync(join(secrets, 'ca.crt')),
      // Only for a server that requires client certificates:
      cert: () => readFileSync(join(secrets, 'shop.crt')),
      key: () => readFileSync(join(secrets, 'shop.key')),
    },
    credentials,
  });
}
