// Runs `nestjs-rocketmq server`: a real Apache RocketMQ in processes of its own, until a signal or the end of the parent stops it.

import { once } from 'node:events';
import { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import type { DeclaredGroup, DeclaredTopic } from './broker-config.js';
import { type CommandIo, wrongCall } from './command.js';
import { canDieWithParent } from './server/child-processes.js';
import { DEFAULT_PORTS, type RunningServer, startServer } from './server/local-server.js';
import { startDetached } from './server-detached.js';
import { askedToStop } from './until-stopped.js';

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** The option values of `server`. */
export interface ServerValues {
  readonly version?: string;
  readonly port?: number;
  readonly remotingPort?: number;
  readonly nameServerPort?: number;
  readonly brokerPort?: number;
  readonly topic?: readonly DeclaredTopic[];
  readonly group?: readonly DeclaredGroup[];
  readonly data?: string;
  readonly repository?: string;
  /** End when it is ready, and leave it running. */
  readonly wait?: boolean;
  /** This process outlives the one that started it. */
  readonly detached?: boolean;
}

/** Resolves after the server has stopped. @throws when it cannot start, or ends by itself */
export async function runServer(values: ServerValues, io: CommandIo): Promise<void> {
  if (process.platform === 'win32') throw new Error('this command needs Linux or macOS; on Windows, run it in WSL');
  if (values.wait === true) return startDetached(io);
  const { version, data: runDir, topic = [], group = [] } = values;
  const ports = {
    grpc: values.port ?? DEFAULT_PORTS.grpc,
    remoting: values.remotingPort ?? DEFAULT_PORTS.remoting,
    nameServer: values.nameServerPort ?? DEFAULT_PORTS.nameServer,
    broker: values.brokerPort ?? DEFAULT_PORTS.broker,
  };
  const stopping = new AbortController();
  // Where the kernel does not end the server with this process, a terminal that is closed must not leave it behind.
  if (!canDieWithParent()) process.once('SIGHUP', () => stopping.abort());
  const over = new AbortController();
  void askedToStop(over.signal, { outlivesParent: values.detached === true }).then(() => stopping.abort());
  const stopped = once(stopping.signal, 'abort');
  let server: RunningServer | undefined;
  try {
    server = await startServer({
      version,
      ports,
      runDir,
      repository: values.repository === undefined ? undefined : repositoryOf(values.repository),
      // A real cluster creates none either: what is missing is found now, and not in production.
      settings: { autoCreateTopicEnable: false },
      log: (line) => io.err(`${line}\n`),
      signal: stopping.signal,
    });
    await Promise.race([create(server, { topic, group }, stopping.signal), server.failed]);
    io.out(readyText(server, values));
    process.send?.({ ready: true, endpoints: server.endpoints, nameServer: server.nameServer });
    await Promise.race([stopped, server.failed]);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    await server?.stop();
    over.abort();
  }
}

async function create(
  { nameServer }: RunningServer,
  { topic, group }: Required<Pick<ServerValues, 'topic' | 'group'>>,
  signal: AbortSignal,
): Promise<void> {
  const admin = new RocketMQAdmin({ nameServer });
  try {
    for (const { name, type, queues } of topic)
      await admin.createTopic({ topic: name, type, queues }, { signal, ifExists: 'keep' });
    for (const { name, ...settings } of group)
      await admin.createGroup({ consumerGroup: name, ...settings }, { signal, ifExists: 'keep' });
  } finally {
    await admin.close();
  }
}

function readyText({ endpoints, nameServer, version, runFolder }: RunningServer, { data }: ServerValues): string {
  const place = data === undefined ? 'loses its messages when it stops' : `keeps its messages in ${runFolder}`;
  return [
    `Apache RocketMQ ${version} ready; it ${place}`,
    `clients: endpoints ${endpoints}`,
    `administration, and clients by remoting: name server ${nameServer}\n`,
  ].join('\n');
}

/** @throws UsageError */
function repositoryOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.includes(url.hostname));
  if (url === undefined || !isSafe || url.username !== '' || url.search !== '')
    throw wrongCall(
      '--repository must be an https address without a user, such as https://repo.maven.apache.org/maven2',
    );
  return url.href.replace(/\/$/, '');
}
