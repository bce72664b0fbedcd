// How the commands that administer a cluster reach it: which name server, over TLS or not, and as whom.

import { readFile } from 'node:fs/promises';
import type { RocketMQAdmin, RocketMQAdminOptions } from '../admin/index.js';
import { describeError } from '../support/logger.js';
import { wrongCall } from './command.js';

/** The options of every such command. A secret is not one of them: a command line can be read by everyone on the machine. */
export const ACCESS_OPTIONS = {
  'name-server': { type: 'string', default: '127.0.0.1:9876' },
  tls: { type: 'boolean', default: false },
  'tls-ca': { type: 'string' },
} as const;

export const ACCESS_USAGE = [
  '[--name-server 127.0.0.1:9876] [--tls | --tls-ca FILE]',
  '(on a cluster that checks access: ROCKETMQ_ACCESS_KEY and ROCKETMQ_SECRET_KEY in the environment)',
];

export interface AccessValues {
  readonly 'name-server': string;
  readonly tls: boolean;
  readonly 'tls-ca'?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws UsageError for half a pair of keys, or a file that cannot be read */
export async function adminOptionsOf(values: AccessValues, environment: Environment): Promise<RocketMQAdminOptions> {
  const { ROCKETMQ_ACCESS_KEY: accessKey, ROCKETMQ_SECRET_KEY: secretKey } = environment;
  if ((accessKey === undefined) !== (secretKey === undefined)) {
    throw wrongCall('ROCKETMQ_ACCESS_KEY and ROCKETMQ_SECRET_KEY go together; one of them is missing');
  }
  return {
    nameServer: values['name-server'],
    tls: values['tls-ca'] === undefined ? values.tls : { ca: await readCa(values['tls-ca']) },
    credentials: accessKey === undefined || secretKey === undefined ? undefined : { accessKey, secretKey },
  };
}

/** Runs the work with an admin client, and closes it. */
export async function withAdmin(values: AccessValues, work: (admin: RocketMQAdmin) => Promise<void>): Promise<void> {
  const { RocketMQAdmin } = await import('../admin/index.js');
  const admin = new RocketMQAdmin(await adminOptionsOf(values, process.env));
  try {
    await work(admin);
  } finally {
    await admin.close();
  }
}

async function readCa(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw wrongCall(`--tls-ca: cannot read ${file}: ${describeError(error)}`);
  }
}
