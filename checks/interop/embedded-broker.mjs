// A strict embedded broker in a process of its own, for the interop run: plain JavaScript on the built library, as users have it. Its parent
// says over IPC what to declare, and its end ends it.

import { EmbeddedBroker } from 'nestjs-rocketmq/broker';

/** @typedef {import('nestjs-rocketmq/broker').EmbeddedBrokerOptions} Options */

/** As tools/servers/rocketmq/server-config.ts sets the real server. */
const LIKE_THE_REAL_SERVER = {
  strict: true,
  recallEnabled: true,
  transactionCheckIntervalMs: 2_000,
  transactionCheckMax: 60,
};

process.once('message', async (/** @type {Options} */ options) => {
  const broker = new EmbeddedBroker({ ...LIKE_THE_REAL_SERVER, nameServerPort: 0, controlPort: 0, ...options });
  process.once('disconnect', () => broker.stop());
  try {
    await broker.start();
    const { endpoints, nameServerEndpoint: nameServer, controlEndpoint } = broker;
    process.send?.({ endpoints, nameServer, controlEndpoint });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) });
    process.disconnect();
  }
});
