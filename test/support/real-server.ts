// The real server of a run of test/real.

import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { SECOND_MS } from 'nestjs-rocketmq/client';

export const nameServer = process.env.ROCKETMQ_TEST_NAME_SERVER ?? '';

/** For the administration of the server, which may be busy. The caller closes it. */
export function serverAdmin(): RocketMQAdmin {
  return new RocketMQAdmin({ nameServer, timeoutMs: 15 * SECOND_MS });
}

export async function withAdmin(work: (admin: RocketMQAdmin) => Promise<void>): Promise<void> {
  const admin = serverAdmin();
  try {
    await work(admin);
  } finally {
    await admin.close();
  }
}
