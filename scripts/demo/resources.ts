// Creates the topics and consumer groups of resources.json on a real server, with the library's own admin client.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';

const TIMEOUT_MS = 15_000;

/** Creates what is missing and updates what differs. */
export async function createDemoResources(nameServer: string, log: (line: string) => void): Promise<void> {
  const { topics, groups } = JSON.parse(readFileSync(join(import.meta.dirname, 'resources.json'), 'utf8'));
  const admin = new RocketMQAdmin({ nameServer, timeoutMs: TIMEOUT_MS });
  try {
    for (const { name: topic, ...rest } of topics) {
      await admin.createTopic({ topic, ...rest }, { ifExists: 'update' });
      log(`topic ${topic} (${rest.type})`);
    }
    for (const { name: consumerGroup, ...rest } of groups) {
      await admin.createGroup({ consumerGroup, ...rest }, { ifExists: 'update' });
      log(`consumer group ${consumerGroup}`);
    }
  } finally {
    await admin.close();
  }
}
