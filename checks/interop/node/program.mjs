// The interop program for npm's rocketmq-client-nodejs. Arguments: the client's package folder, endpoints, prefix, steps
// separated by commas. Each step prints what it saw as JSON lines; java/ holds the same program for the Java client.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONSUMING_STEPS } from './consuming.mjs';
import { KILL_STEPS } from './kills.mjs';
import { ORDERING_STEPS } from './ordering.mjs';
import { SENDING_STEPS } from './sending.mjs';
import { TRANSACTION_STEPS } from './transactions.mjs';
import { World } from './world.mjs';

/** All at once would starve a small machine, and then what has a lease or a due time. */
const STAGGER_MS = 300;
/** @type {import('./world.mjs').Steps} */
const STEPS = { ...SENDING_STEPS, ...CONSUMING_STEPS, ...ORDERING_STEPS, ...TRANSACTION_STEPS, ...KILL_STEPS };

const [clientFolder = '', endpoints = '', prefix = '', wanted = ''] = process.argv.slice(2);
/** @type {typeof import('rocketmq-client-nodejs')} */
const client = createRequire(join(clientFolder, 'package.json'))('rocketmq-client-nodejs');

await Promise.all(wanted.split(',').map((name, index) => sleep(index * STAGGER_MS).then(() => run(name))));
// Closed clients do not let the process end: each push consumer of 1.0.8 opens a log file of its own and keeps it.
process.exit();

/** @param {string} name */
async function run(name) {
  const world = new World({ client, endpoints, prefix, step: name });
  try {
    const step = STEPS[name];
    if (step === undefined) throw new Error(`there is no step ${name}`);
    await step(world);
    await world.close();
    world.emit('end');
  } catch (error) {
    world.emit('failed', { error: error instanceof Error ? error.stack : String(error) });
    await world.close().catch(() => {});
  }
}
