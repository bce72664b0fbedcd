// Where the demos keep their data in a run: PGlite in their folders, or a database server of the run's own. It is read after their
// processes have ended, without code of the apps.

import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { DATABASE_SERVERS, type DatabaseServer, type DatabaseServerName } from '../../tools/servers/database-server.js';
import type { App, ChaosFacts, Entry, OrderEntry, OrderFact, ReservationFact, StockFact } from './facts.js';
import type { Victim } from './servers.js';

export type DatabaseFacts = Pick<ChaosFacts, 'orders' | 'orderHistory' | 'stock' | 'reservations' | 'stockHistory'>;
export type DatabaseName = 'pglite' | DatabaseServerName;

/** The databases of a run. */
export interface Databases {
  /** The server, if there is one. */
  readonly victims: readonly Victim[];
  /** The settings of an app. */
  settingsOf(app: App): NodeJS.ProcessEnv;
  /** Reads them; PGlite only after the apps have ended. */
  read(): Promise<DatabaseFacts>;
  stop(): Promise<void>;
}

/** @param folder the folder of the run @throws Error if the server is not installed */
export async function openDatabases(name: DatabaseName, folder: string): Promise<Databases> {
  if (name === 'pglite') {
    const dataFolder = (app: App): string => join(folder, app);
    return {
      victims: [],
      settingsOf: (app) => ({ DATA_DIR: dataFolder(app) }),
      read: () => readFacts((app) => openPglite(join(dataFolder(app), 'postgres'))),
      stop: async () => {},
    };
  }
  const kind = DATABASE_SERVERS[name];
  if (!kind.isInstalled()) {
    throw new Error(`${kind.title} is not installed, so nothing was run; on Debian: ${kind.installedBy}`);
  }
  const server: DatabaseServer = await kind.start(kind.surviving);
  try {
    const urls: Readonly<Record<App, string>> = {
      'order-demo': await server.createDatabase('orders'),
      'inventory-demo': await server.createDatabase('inventory'),
    };
    return {
      victims: [victimOf(server)],
      settingsOf: (app) => ({ DATABASE_URL: urls[app] }),
      read: () => readFacts((app) => (urls[app].startsWith('postgres') ? openPostgres : openMysql)(urls[app])),
      stop: () => server.stop(),
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function victimOf(server: DatabaseServer): Victim {
  const never = (): never => {
    throw new Error('the database server is only killed here');
  };
  return {
    name: 'database',
    faults: ['kill'],
    // Its recovery is not under test.
    isSlowToStart: true,
    kill: () => server.kill(),
    start: () => server.revive(),
    terminate: never,
    pause: never,
    continue: never,
  };
}

/** A connection to one of the databases. */
interface Reader {
  rows(statement: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

async function openPglite(dataDir: string): Promise<Reader> {
  const client = await PGlite.create({ dataDir });
  return {
    rows: async (statement) => (await client.query<Record<string, unknown>>(statement)).rows,
    close: () => client.close(),
  };
}

async function openPostgres(connectionString: string): Promise<Reader> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return { rows: async (statement) => (await client.query(statement)).rows, close: () => client.end() };
}

async function openMysql(uri: string): Promise<Reader> {
  const client = await mysql.createConnection({ uri, timezone: 'Z' });
  return {
    rows: async (statement) => (await client.query<mysql.RowDataPacket[]>(statement))[0],
    close: () => client.end(),
  };
}

async function readFacts(open: (app: App) => Promise<Reader>): Promise<DatabaseFacts> {
  const [orders, orderHistory] = await tablesOf(open('order-demo'), [
    'select * from orders',
    'select * from order_history order by id',
  ]);
  const [stock, reservations, stockHistory] = await tablesOf(open('inventory-demo'), [
    'select * from stock order by sku',
    'select * from reservations',
    'select * from stock_history order by id',
  ]);
  return {
    orders: orders as unknown as OrderFact[],
    orderHistory: orderHistory as unknown as OrderEntry[],
    stock: stock as unknown as StockFact[],
    reservations: reservations as unknown as ReservationFact[],
    stockHistory: stockHistory as unknown as Entry[],
  };
}

type Fact = Readonly<Record<string, unknown>>;

async function tablesOf(opening: Promise<Reader>, statements: readonly string[]): Promise<Fact[][]> {
  const reader = await opening;
  try {
    const tables: Fact[][] = [];
    for (const statement of statements) tables.push((await reader.rows(statement)).map(factOf));
    return tables;
  } finally {
    await reader.close();
  }
}

/** A row in the words of facts.ts: `expires_at` becomes `expiresAtMs`. */
function factOf(row: Record<string, unknown>): Fact {
  const fields = Object.entries(row).map(([column, value]) => {
    const name = column.replace(/_[a-z]/g, (letter) => letter.slice(1).toUpperCase());
    return value instanceof Date ? [`${name}Ms`, value.getTime()] : [name, value];
  });
  return Object.fromEntries(fields);
}
