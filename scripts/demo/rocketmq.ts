// npm run rocketmq [-- --version 5.5.0] [-- --data FOLDER] [-- --grpc-port 8081 …]
// Starts a real Apache RocketMQ with the demo's topics and consumer groups, and keeps it until Ctrl-C.

import { parseArgs } from 'node:util';
import { DEFAULT_VERSION, RealServerError } from '../../libs/rocketmq/src/cli/server/jars.js';
import { DEFAULT_PORTS } from '../../libs/rocketmq/src/cli/server/local-server.js';
import { type RunningServer, startRocketMQ } from '../../tools/servers/rocketmq/server.js';
import { createDemoResources } from './resources.js';

const USAGE = `npm run rocketmq [-- OPTIONS]
  --version V            5.5.0 (default), 5.4.0, 5.3.3; without a proxy 5.1.4, 5.0.0, 4.9.7, 4.5.2
  --data FOLDER          keep messages, topics and groups there; without it they go when the server stops
  --grpc-port P          what clients connect to    (ROCKETMQ_GRPC_PORT, default ${DEFAULT_PORTS.grpc})
  --remoting-port P      the proxy's second port    (ROCKETMQ_REMOTING_PORT, default ${DEFAULT_PORTS.remoting})
  --name-server-port P   what administration asks   (ROCKETMQ_NAME_SERVER_PORT, default ${DEFAULT_PORTS.nameServer})
  --broker-port P        takes P-2 and P+1 as well  (ROCKETMQ_BROKER_PORT, default ${DEFAULT_PORTS.broker})`;

async function main(): Promise<void> {
  const settings = readSettings(process.argv.slice(2));
  const stopped = new AbortController();
  const untilStopped = new Promise<void>((resolve) => {
    stopped.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stopped.abort());

  let server: RunningServer | undefined;
  try {
    server = await startRocketMQ({ ...settings, log: print, signal: stopped.signal });
    await Promise.race([createDemoResources(server.nameServer, print), server.failed]);
    print(`ready: Apache RocketMQ ${server.version}, name server ${server.nameServer}, logs in ${server.runFolder}`);
    if (settings.runDir === undefined) print('its messages go when it stops; keep them with -- --data FOLDER');
    print('now run, in another terminal:');
    process.stdout.write(`\nROCKETMQ_ENDPOINTS=${server.endpoints} npm start\n\n`);
    await Promise.race([untilStopped, server.failed]);
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
  } finally {
    if (stopped.signal.aborted) print('stopping');
    await server?.stop();
  }
}

function readSettings(args: string[]) {
  const values = valuesIn(args);
  const { env } = process;
  return {
    version: values.version,
    runDir: values.data,
    ports: {
      grpc: readPort('grpc-port', values['grpc-port'] ?? env.ROCKETMQ_GRPC_PORT, DEFAULT_PORTS.grpc),
      remoting: readPort(
        'remoting-port',
        values['remoting-port'] ?? env.ROCKETMQ_REMOTING_PORT,
        DEFAULT_PORTS.remoting,
      ),
      nameServer: readPort(
        'name-server-port',
        values['name-server-port'] ?? env.ROCKETMQ_NAME_SERVER_PORT,
        DEFAULT_PORTS.nameServer,
      ),
      broker: readPort('broker-port', values['broker-port'] ?? env.ROCKETMQ_BROKER_PORT, DEFAULT_PORTS.broker),
    },
  };
}

function valuesIn(args: string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args,
      options: {
        version: { type: 'string', default: DEFAULT_VERSION },
        data: text,
        'grpc-port': text,
        'remoting-port': text,
        'name-server-port': text,
        'broker-port': text,
      },
    }).values;
  } catch (error) {
    throw new RealServerError(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  }
}

/** @param given empty is not given */
function readPort(name: string, given: string | undefined, byDefault: number): number {
  const port = Number(given || byDefault);
  if (Number.isInteger(port) && port > 2 && port < 65_535) return port;
  throw new RealServerError(`--${name} is "${given}"; it must be a port`);
}

function print(line: string): void {
  process.stdout.write(`[rocketmq] ${line}\n`);
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error instanceof RealServerError ? error.message : error.stack}\n`);
    process.exit(1);
  },
);
