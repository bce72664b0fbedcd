// The transport of the clients under test.

import type { Transport } from 'nestjs-rocketmq/client';

/** What carries the calls of the clients under test. Tests must pass with all of them; `remoting` needs a real server. */
export type TestTransport = Transport | 'remoting';

/** `ROCKETMQ_TEST_TRANSPORT`; http2 unless given. */
export const testTransport = (process.env.ROCKETMQ_TEST_TRANSPORT ?? 'http2') as TestTransport;

/** The connection option: none for `remoting`, which the endpoints select. */
export const transport: Transport | undefined =
  process.env.ROCKETMQ_TEST_TRANSPORT === undefined || testTransport === 'remoting' ? undefined : testTransport;
