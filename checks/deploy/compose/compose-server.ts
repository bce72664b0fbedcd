// The RocketMQ of compose.yaml without Docker: its commands and its configuration files, with the ports and folders of this run.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ChildProcess } from '../../../libs/rocketmq/src/cli/server/child-processes.js';
import { ensureJars } from '../../../libs/rocketmq/src/cli/server/jars.js';
import { JavaRun } from '../../../libs/rocketmq/src/cli/server/java-run.js';
import { PROXY_READY_LINE } from '../../../libs/rocketmq/src/cli/server/local-server.js';
import { isBrokerRegistered } from '../../../libs/rocketmq/src/cli/server/name-server-probe.js';
import { accepts, takePortBlock } from '../../../tools/ports.js';
import { makeServerCertificate } from '../../../tools/servers/rocketmq/server-certificate.js';
import { serviceOf } from './compose-loader.js';
import type { ComposeModel } from './compose-model.js';

const MAIN_CLASSES: Record<string, string> = {
  mqnamesrv: 'org.apache.rocketmq.namesrv.NamesrvStartup',
  mqbroker: 'org.apache.rocketmq.broker.BrokerStartup',
  mqproxy: 'org.apache.rocketmq.proxy.ProxyStartup',
};

/** The services of one RocketMQ of the file. */
export interface ServerServices {
  readonly nameServer: string;
  readonly broker: string;
  /** Undefined where clients connect by name server. */
  readonly proxy: string | undefined;
}

/**
 * Starts name server, broker and proxy as the model says.
 * @param model of compose.yaml
 * @throws RealServerError without Java, or with the end of the output of what did not start
 */
export async function startComposeServer(
  model: ComposeModel,
  services: ServerServices,
  log: (line: string) => void,
): Promise<{ grpcPort: number; nameServer: string; metricsUrls: string[]; stop: () => Promise<void> }> {
  const version = serviceOf(model, services.broker).image.replace(/^.*:/, '');
  const jars = await ensureJars(version, { log });
  const block = await takePortBlock();
  const ports = {
    nameServer: block.first,
    broker: block.first + 3,
    grpc: block.first + 5,
    remoting: block.first + 6,
    brokerMetrics: block.first + 7,
    proxyMetrics: block.first + 8,
  };
  const run = new JavaRun({ version, jars, certificate: makeServerCertificate });
  const stop = () => run.stop().finally(() => block.release());
  const nameServer = `127.0.0.1:${ports.nameServer}`;
  const start = (
    name: string,
    more: readonly string[],
    isReady: (child: ChildProcess) => Promise<boolean>,
    what: string,
  ) => {
    const { command, environment, volumes = [] } = serviceOf(model, name);
    const [, program = '', ...args] = command;
    const local = args.map((arg) => {
      const mounted = volumes.find(({ target, type }) => type === 'bind' && target === arg);
      if (mounted !== undefined) return adapt(mounted.source, run.folder, ports);
      return arg === `${services.nameServer}:9876` ? nameServer : arg;
    });
    const mainClass = MAIN_CLASSES[program];
    if (mainClass === undefined) throw new Error(`${name} runs ${program}, which is not known here`);
    return run.start(
      { name, memory: environment.JAVA_OPT_EXT ?? '', mainClass, args: [...local, ...more] },
      isReady,
      what,
    );
  };
  try {
    mkdirSync(join(run.folder, 'home', 'conf'), { recursive: true });
    const file = join(run.folder, 'ns.conf');
    writeFileSync(file, `listenPort=${ports.nameServer}\n`);
    await start(services.nameServer, ['-c', file], () => accepts(ports.nameServer), 'the name server');
    const isRegistered = () => isBrokerRegistered(ports.nameServer, `127.0.0.1:${ports.broker}`);
    await start(services.broker, [], isRegistered, 'the broker to register');
    const serves = async (child: ChildProcess) => child.hasPrinted(PROXY_READY_LINE) && (await accepts(ports.grpc));
    if (services.proxy !== undefined) await start(services.proxy, [], serves, 'the proxy to serve');
  } catch (error) {
    await stop();
    throw error;
  }
  const metricsUrls = [ports.brokerMetrics, ports.proxyMetrics].map((port) => `http://127.0.0.1:${port}/metrics`);
  return { grpcPort: ports.grpc, nameServer, metricsUrls, stop };
}

/** A copy of a configuration file, with this run's ports and folder in it. */
function adapt(
  source: string,
  folder: string,
  ports: { grpc: number; remoting: number; broker: number; brokerMetrics: number; proxyMetrics: number },
): string {
  const text = readFileSync(source, 'utf8');
  const file = join(folder, basename(source));
  if (source.endsWith('.json')) {
    const own = {
      grpcServerPort: ports.grpc,
      remotingListenPort: ports.remoting,
      metricsPromExporterPort: ports.proxyMetrics,
      metricsPromExporterHost: '127.0.0.1',
    };
    writeFileSync(file, JSON.stringify({ ...JSON.parse(text), ...own }));
  } else {
    const own = text
      .replace(/^brokerIP1=.*$/m, '')
      .replace(/^listenPort=.*$/m, `listenPort=${ports.broker}\nbrokerIP1=127.0.0.1`)
      .replace(/^metricsPromExporterPort=.*$/m, `metricsPromExporterPort=${ports.brokerMetrics}`)
      .replaceAll('/home/rocketmq/store', join(folder, 'store'));
    writeFileSync(file, own);
  }
  return file;
}
