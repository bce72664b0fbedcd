// Loaded before a program (`node --expose-gc --import`): tells whoever forked the process what it holds in memory.

import { setTimeout as sleep } from 'node:timers/promises';

process.on('message', async (/** @type {{ asks?: string }} */ message) => {
  if (message?.asks !== 'memory') return;
  // Objects with finalizers need more than one collection.
  for (let time = 0; time < 3; time++) {
    await sleep(20);
    globalThis.gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  process.send?.({ memoryBytes: heapUsed + external });
});
