// The two demos as processes, each with its own database and link to the server.

import { join } from 'node:path';
import { AppLink } from './app-link.js';
import type { Databases } from './databases.js';
import { APPS, type App } from './facts.js';
import { SCARCE } from './intents.js';
import { Program } from './program.js';
import type { Server, ServerOptions } from './servers.js';

/** Short, so that many orders time out in a run. */
const PAYMENT_TIMEOUT = '5s';
/** Of most products far more than a run can sell. */
const STOCK = `book:100000,lamp:100000,${SCARCE}:5`;

interface DemosOptions extends Pick<ServerOptions, 'folder' | 'onLost'> {
  readonly server: Pick<Server, 'ports' | 'hasNameServer'>;
  readonly databases: Pick<Databases, 'settingsOf'>;
  /** Free ports: one for each app, and one for each app and port of the server. */
  readonly ports: readonly number[];
}

export class Demos {
  private constructor(
    readonly programs: ReadonlyMap<App, Program>,
    readonly links: ReadonlyMap<App, AppLink>,
    readonly orderUrl: string,
    readonly inventoryUrl: string,
  ) {}

  /** Creates both without starting them. */
  static async make({ folder, onLost, server, databases, ports }: DemosOptions): Promise<Demos> {
    const [orderPort, inventoryPort, ...forLinks] = ports as [number, number, ...number[]];
    const count = server.ports.length;
    const linkPorts = { 'order-demo': forLinks.slice(0, count), 'inventory-demo': forLinks.slice(count, 2 * count) };
    const urlOf = (port: number) => `http://127.0.0.1:${port}`;
    const inventoryUrl = urlOf(inventoryPort);
    const program = (name: App, port: number, env: NodeJS.ProcessEnv): [App, Program] => {
      const endpoints = `${server.hasNameServer ? 'name-server:' : ''}127.0.0.1:${linkPorts[name][0]}`;
      const own = { PORT: String(port), ROCKETMQ_ENDPOINTS: endpoints, ...databases.settingsOf(name) };
      const args = [join(process.cwd(), `apps/${name}/dist/main.js`)];
      const all = { ...withoutSettings(process.env), ...own, ...env };
      return [
        name,
        new Program({ name, args, env: all, logFolder: folder, onLost: (how) => onLost(`${name}: ${how}`) }),
      ];
    };
    const programs = new Map([
      program('order-demo', orderPort, {
        INVENTORY_URL: inventoryUrl,
        ORDER_PAYMENT_TIMEOUT: PAYMENT_TIMEOUT,
      }),
      program('inventory-demo', inventoryPort, { STOCK }),
    ]);
    const links = new Map<App, AppLink>();
    try {
      for (const app of APPS) links.set(app, await AppLink.open(linkPorts[app], server));
    } catch (error) {
      for (const link of links.values()) await link.close();
      throw error;
    }
    return new Demos(programs, links, urlOf(orderPort), inventoryUrl);
  }

  async start(): Promise<void> {
    await Promise.all([...this.programs.values()].map((program) => program.start()));
  }

  /** Stops both gracefully, which unlocks their databases. */
  async terminate(): Promise<void> {
    await Promise.all([...this.programs.values()].map((program) => program.terminate()));
  }

  /** Stops everything, whatever its state. */
  async kill(): Promise<void> {
    await Promise.all([...this.programs.values()].map((program) => program.kill()));
    await Promise.all([...this.links.values()].map((link) => link.close()));
  }
}

/** Removes settings of the user's environment that the apps would read. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const foreign = /^(DATABASE_URL|DATA_DIR|DEMO_|OTEL_|CONTROL_ENDPOINT|HOST$|LOG_|ORDER_|STOCK)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.test(name)));
}
