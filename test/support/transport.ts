// The transport of the clients under test.

import type { Transport } from 'nestjs-rocketmq/client';

/** `ROCKETMQ_TEST_TRANSPORT`, for runs with another transport than the default. Tests must pass with both. */
export const transport = process.env.ROCKETMQ_TEST_TRANSPORT as Transport | undefined;
