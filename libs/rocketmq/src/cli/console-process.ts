// Runs `nestjs-rocketmq console` until a signal or the end of its parent stops it.

import { RocketMQAdmin } from '../admin/rocketmq-admin.js';
import { ControlClient } from '../broker/control/control-client.js';
import { Connection } from '../client/connection.js';
import { type AccessValues, adminOptionsOf } from './admin-access.js';
import type { CommandIo } from './command.js';
import { consolePackage } from './console-package.js';
import { jsonLine } from './output.js';
import { askedToStop } from './until-stopped.js';

const NAME_SERVER = 'name-server:';

/** The parsed command line of a console. */
export interface ConsoleValues extends AccessValues {
  readonly endpoints?: string;
  readonly proxies?: string;
  readonly control?: string;
  readonly host?: string;
  readonly port?: number;
  readonly actions?: 'all' | readonly string[];
  readonly bodies?: 'hidden' | 'shown';
  readonly operationsTopic?: string;
}

/** Resolves after the console has stopped. @throws when it cannot start */
export async function runConsole(values: ConsoleValues, io: CommandIo): Promise<void> {
  const { startStandaloneConsole } = await consolePackage(process.cwd(), io.importModule);
  const access = await adminOptionsOf(values, io.env);
  const { nameServer, tls, credentials } = access;
  const admin = new RocketMQAdmin({ ...access, proxies: values.proxies });
  let connection: Connection | undefined;
  try {
    const control =
      values.control === undefined ? undefined : new ControlClient(controlOf(values.control, credentials));
    const endpoints = values.endpoints ?? (await control?.state())?.endpoints ?? NAME_SERVER + nameServer;
    connection = new Connection({ endpoints, tls, credentials });
    const source = { admin, control, connection, title: nameServer, log: (line: string) => io.err(`${line}\n`) };
    const { host, port, actions, bodies, operationsTopic } = values;
    const stop = askedToStop();
    const console = await startStandaloneConsole(source, { host, port, actions, bodies, operationsTopic });
    io.out(values.json === true ? jsonLine({ url: console.url }) : `console on ${console.url}\n`);
    process.send?.({ ready: true, consoleUrl: console.url });
    await stop;
    await console.close();
  } finally {
    connection?.close();
    await admin.close();
    // The channel to a parent would keep the process alive.
    if (process.connected) process.disconnect();
  }
}

function controlOf(endpoint: string, credentials: unknown) {
  const isFixed = typeof credentials === 'object' && credentials !== null;
  return { endpoint, ...(isFixed && { credentials: credentials as { accessKey: string; secretKey: string } }) };
}
