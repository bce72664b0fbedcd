// Where the messages of a run go. A real server serves all setups of a run, since it compiles what is hot while it runs; an embedded broker
// is started for each, with an empty folder.

import { join } from 'node:path';
import { createDemoResources } from '../../../scripts/demo/resources.js';
import { startEmbeddedBroker } from '../../../tools/servers/embedded-broker-process.mjs';
import { startRocketMQ } from '../../../tools/servers/rocketmq/server.js';
import { storeArguments } from '../lib/embedded-arguments.mjs';
import { processesNaming } from '../lib/process-usage.mjs';

const CONFIG = join(import.meta.dirname, '..', '..', '..', 'scripts', 'demo', 'broker.json');

interface Broker {
  endpoints: string;
  roots: readonly number[];
  failed: Promise<never>;
  release: () => Promise<void>;
}

/** `isCold`: it gets better by the first setup. */
export interface Backend {
  label: string;
  isCold: boolean;
  take: (folder: string) => Promise<Broker>;
  stop: () => Promise<void>;
}

export async function openBackend(
  name: string,
  { log, signal }: { log: (line: string) => void; signal: AbortSignal },
): Promise<Backend> {
  if (name === 'rocketmq') return openReal(log, signal);
  const flush = name === 'embedded' ? 'async' : 'sync';
  const label = flush === 'async' ? 'embedded' : 'embedded, sync';
  return { label, isCold: false, take: (folder) => startEmbedded(flush, folder), async stop() {} };
}

async function openReal(log: (line: string) => void, signal: AbortSignal): Promise<Backend> {
  const server = await startRocketMQ({ log, signal });
  try {
    await createDemoResources(server.nameServer, () => {});
  } catch (error) {
    await server.stop();
    throw error;
  }
  const { endpoints, version, runFolder, failed, stop } = server;
  const roots = processesNaming(runFolder);
  const broker = { endpoints, roots, failed: failed as Promise<never>, async release() {} };
  return { label: `Apache RocketMQ ${version}`, isCold: true, take: async () => broker, stop };
}

async function startEmbedded(flush: 'async' | 'sync', folder: string): Promise<Broker> {
  const args = ['--port', '0', '--config', CONFIG, ...storeArguments(flush, join(folder, 'broker'))];
  const { pid, endpoints, ended, kill } = await startEmbeddedBroker(args);
  const failed = ended.then((how) => {
    throw new Error(`the embedded broker ended: ${how}`);
  });
  failed.catch(() => {});
  return { endpoints, roots: [pid], failed, release: kill };
}
