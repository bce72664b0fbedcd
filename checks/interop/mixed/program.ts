// The interop program of clients of all kinds on one broker: this library without a proxy (`direct`) and with one (`proxied`), npm's
// rocketmq-client-nodejs (`node`), and the official clients of the remoting protocol (`java`). Arguments: package folder of the Node client,
// folder of the Java clients, endpoints, name server, prefix, steps separated by commas.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeParticipant, ownParticipant } from './participants.js';
import { remotingParticipant } from './remoting.js';
import { STEPS } from './steps.js';

/** All at once would starve a small machine. */
const STAGGER_MS = 300;

const [clientFolder = '', jars = '', endpoints = '', nameServer = '', prefix = '', wanted = ''] = process.argv.slice(2);
const client = createRequire(join(clientFolder, 'package.json'))('rocketmq-client-nodejs');
const java = remotingParticipant({ nameServer, jars, home: process.env.HOME ?? '' });
const direct = ownParticipant('direct', `name-server:${nameServer}`);
const proxied = ownParticipant('proxied', endpoints);
const node = nodeParticipant(client, endpoints);
const everyone = [direct, proxied, node, java];

await Promise.all(wanted.split(',').map((name, index) => sleep(index * STAGGER_MS).then(() => run(name))));
await Promise.allSettled(everyone.map((one) => one.close()));
// Closed Node clients do not let the process end.
process.exit();

async function run(step: string): Promise<void> {
  const emit = (what: string, facts = {}) => process.stdout.write(`${JSON.stringify({ step, what, ...facts })}\n`);
  try {
    const work = STEPS[step];
    if (work === undefined) throw new Error(`there is no step ${step}`);
    await work({ direct, proxied, node, java, everyone, emit, name: (purpose) => `${prefix}${purpose}` });
    emit('end');
  } catch (error) {
    emit('failed', { error: error instanceof Error ? error.stack : String(error) });
  }
}
