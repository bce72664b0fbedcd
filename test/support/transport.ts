// What carries the calls of clients under test.

import type { Transport } from 'nestjs-rocketmq/client';

/** `ROCKETMQ_TEST_TRANSPORT`, for runs with another than the default. What holds on one holds on both. */
export const transport = process.env.ROCKETMQ_TEST_TRANSPORT as Transport | undefined;
