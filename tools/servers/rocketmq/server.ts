// Starts a real Apache RocketMQ for tests, benchmarks and `npm run rocketmq`, as the command line does; several proxies are cluster.ts.

import {
  type RunningServer,
  type ServerOptions,
  startServer,
} from '../../../libs/rocketmq/src/cli/server/local-server.js';
import { takePortBlock } from '../../ports.js';
import { makeServerCertificate } from './server-certificate.js';

export type { RunningServer } from '../../../libs/rocketmq/src/cli/server/local-server.js';

/**
 * Starts a server and resolves when a client can use it.
 * @param options without `ports` it takes ports of the run's own from 20000 to 30000
 * @throws RealServerError with the end of the server's output when it does not start
 */
export async function startRocketMQ({
  ports,
  ...options
}: Omit<ServerOptions, 'ports' | 'certificate'> & {
  readonly ports?: ServerOptions['ports'];
} = {}): Promise<RunningServer> {
  const all = { ...options, certificate: makeServerCertificate };
  if (ports !== undefined) return startServer({ ...all, ports });
  const { first, release } = await takePortBlock();
  const own = { grpc: first, remoting: first + 1, nameServer: first + 2, broker: first + 6 };
  try {
    const server = await startServer({ ...all, ports: own });
    return { ...server, stop: () => server.stop().finally(release) };
  } catch (error) {
    await release();
    throw error;
  }
}
