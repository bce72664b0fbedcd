// Creates the topics and consumer groups of demo-resources.json on a real server, with the library's own admin client.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RealServerError } from './rocketmq-jars.mjs';

const ADMIN_ENTRY = 'nestjs-rocketmq/admin';
const TIMEOUT_MS = 15_000;

/**
 * Creates what is missing and alters what differs.
 * @param {string} nameServer
 * @param {(line: string) => void} log
 */
export async function createDemoResources(nameServer, log) {
  const { RocketMQAdmin } = await importAdmin(log);
  const { topics, groups } = JSON.parse(readFileSync(join(import.meta.dirname, 'demo-resources.json'), 'utf8'));
  const admin = new RocketMQAdmin({ nameServer, timeoutMs: TIMEOUT_MS });
  try {
    for (const { name: topic, ...rest } of topics) {
      await admin.createTopic({ topic, ...rest });
      log(`topic ${topic} (${rest.type})`);
    }
    for (const { name: consumerGroup, ...rest } of groups) {
      await admin.createGroup({ consumerGroup, ...rest });
      log(`consumer group ${consumerGroup}`);
    }
  } finally {
    await admin.close();
  }
}

/** The built library; builds it when that has not been done. @param {(line: string) => void} log */
async function importAdmin(log) {
  if (!existsSync(fileURLToPath(import.meta.resolve(ADMIN_ENTRY)))) {
    log('building the library');
    const build = spawnSync(process.execPath, [join(import.meta.dirname, '..', 'build.mjs')], { stdio: 'inherit' });
    if (build.status !== 0) throw new RealServerError('the library could not be built; see the output above');
  }
  return import(ADMIN_ENTRY);
}
