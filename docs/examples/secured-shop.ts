import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DynamicModule } from '@nestjs/common';
import { type CredentialsProvider, RocketMQModule } from 'nestjs-rocketmq';

/** @param secrets the folder where an orchestrator keeps what is secret up to date */
export function securedShop(endpoints: string, secrets: string): DynamicModule {
  // Asked again every minute, and whenever the server refuses what it gave before.
  const credentials: CredentialsProvider = async () =>
    JSON.parse(await readFile(join(secrets, 'rocketmq.json'), 'utf8'));
  return RocketMQModule.forRoot({
    endpoints,
    tls: {
      ca: readFileSync(join(secrets, 'ca.crt')),
      // Only for a server that asks clients for certificates:
      cert: readFileSync(join(secrets, 'shop.crt')),
      key: readFileSync(join(secrets, 'shop.key')),
    },
    credentials,
  });
}
