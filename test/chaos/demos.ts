// The two demos as processes, each with its own database and link to the server.

import { join } from 'node:path';
import { SCARCE } from './intents.js';
import { Link } from './link.js';
import { Program } from './program.js';
import type { ServerOptions } from './servers.js';

export const APPS = ['order-demo', 'inventory-demo'] as const;
export type App = (typeof APPS)[number];

/** Short, so that many orders time out in a run. */
const PAYMENT_TIMEOUT = '5s';
/** Of most products far more than a run can sell. */
const STOCK = `book:100000,lamp:100000,${SCARCE}:5`;

interface DemosOptions extends Pick<ServerOptions, 'folder' | 'onLost'> {
  readonly serverPort: number;
  /** Four free ports. */
  readonly ports: readonly number[];
}

export class Demos {
  private constructor(
    readonly programs: ReadonlyMap<App, Program>,
    readonly links: ReadonlyMap<App, Link>,
    readonly orderUrl: string,
    readonly inventoryUrl: string,
  ) {}

  /** Creates both without starting them. */
  static async make({ folder, onLost, serverPort, ports }: DemosOptions): Promise<Demos> {
    const [orderPort, inventoryPort, orderLink, inventoryLink] = ports as [number, number, number, number];
    const urlOf = (port: number) => `http://127.0.0.1:${port}`;
    const inventoryUrl = urlOf(inventoryPort);
    const program = (name: App, port: number, link: number, env: NodeJS.ProcessEnv): [App, Program] => {
      const own = { PORT: String(port), DATA_DIR: dataFolder(folder, name), ROCKETMQ_ENDPOINTS: `127.0.0.1:${link}` };
      const args = [join(process.cwd(), `apps/${name}/dist/main.js`)];
      const all = { ...withoutSettings(process.env), ...own, ...env };
      return [
        name,
        new Program({ name, args, env: all, logFolder: folder, onLost: (how) => onLost(`${name}: ${how}`) }),
      ];
    };
    const programs = new Map([
      program('order-demo', orderPort, orderLink, {
        INVENTORY_URL: inventoryUrl,
        ORDER_PAYMENT_TIMEOUT: PAYMENT_TIMEOUT,
      }),
      program('inventory-demo', inventoryPort, inventoryLink, { STOCK }),
    ]);
    const links = new Map<App, Link>();
    try {
      links.set('order-demo', await Link.open(orderLink, serverPort));
      links.set('inventory-demo', await Link.open(inventoryLink, serverPort));
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

/** The database folder of an app. */
export function dataFolder(folder: string, app: App): string {
  return join(folder, app);
}

/** Removes settings of the user's environment that the apps would read. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const foreign = /^(DATABASE_URL|DEMO_|OTEL_|CONTROL_ENDPOINT|HOST$|LOG_|ORDER_|STOCK)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.test(name)));
}
