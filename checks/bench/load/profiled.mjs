// Preloaded into a demo with --profile: its parent starts and stops the profiler with messages, and gets the file of the profile as the answer.

import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join } from 'node:path';

/** Finer than the default of 1 ms: many steps of an order are shorter. */
const INTERVAL_MICROS = 250;

const session = new Session();
session.connect();

/** @param {unknown} message */
async function answer(message) {
  if (message === 'profile: start') {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROS });
    await session.post('Profiler.start');
    process.send?.({ isRunning: true });
  } else if (message === 'profile: stop') {
    const { profile } = await session.post('Profiler.stop');
    const file = join(process.cwd(), `${process.pid}.cpuprofile`);
    writeFileSync(file, JSON.stringify(profile));
    process.send?.({ file });
  }
}

process.on('message', (message) => {
  answer(message).catch((error) => process.send?.({ error: String(error) }));
});
