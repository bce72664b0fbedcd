// Where the demos keep orders and stock: a PostgreSQL of the run's own, with databases for each setup, or PGlite inside of each process.

import { join } from 'node:path';
import { Postgres } from '../../../tools/servers/postgres-server.js';
import { processesNaming } from '../lib/process-usage.mjs';

/** PostgreSQL's own defaults in what decides here; each process of the demos has up to 20 connections. */
const SETTINGS = ['fsync=on', 'max_connections=400'];

export interface Databases {
  name: string;
  /** Settings of the demos, for an empty database each. */
  create: (
    setup: string,
    folder: string,
  ) => Promise<{ order: Record<string, string>; inventory: Record<string, string> }>;
  /** The processes that are the ancestors of all its processes; none where it runs in the demos. */
  roots: readonly number[];
  stop: () => Promise<void>;
}

export async function openDatabases(kind: 'postgres' | 'pglite'): Promise<Databases> {
  if (kind === 'pglite') return pglite();
  const postgres = await Postgres.start(SETTINGS);
  return {
    name: 'PostgreSQL',
    async create(setup) {
      const create = async (one: string) => ({
        DATABASE_URL: await postgres.createDatabase(`${one}_${setup}`),
      });
      const [order, inventory] = await Promise.all([create('orders'), create('inventory')]);
      return { order, inventory };
    },
    roots: processesNaming(postgres.address.host),
    stop: () => postgres.stop(),
  };
}

function pglite(): Databases {
  const settings = (folder: string) => ({ DATABASE_URL: '', DATA_DIR: folder });
  return {
    name: 'PGlite',
    create: async (setup, folder) => ({
      order: settings(join(folder, setup, 'order-demo')),
      inventory: settings(join(folder, setup, 'inventory-demo')),
    }),
    roots: [],
    async stop() {},
  };
}
