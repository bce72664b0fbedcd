// Where the demos keep orders and stock: a PostgreSQL of the run's own, with databases for each setup, or PGlite inside of each process.

import { join } from 'node:path';
import { Postgres } from '../../../tools/servers/postgres-server.ts';
import { processesNaming } from '../lib/process-usage.mjs';

/** PostgreSQL's own defaults in what decides here; each process of the demos has up to 20 connections. */
const SETTINGS = ['fsync=on', 'max_connections=400'];

/**
 * @typedef {object} Databases
 * @property {string} name
 * @property {(setup: string, folder: string) => Promise<{ order: Record<string, string>, inventory: Record<string, string> }>} create
 *   settings of the demos, for an empty database each
 * @property {readonly number[]} roots the processes that are the ancestors of all its processes; none where it runs in the demos
 * @property {() => Promise<void>} stop
 */

/** @param {'postgres' | 'pglite'} kind @returns {Promise<Databases>} */
export async function openDatabases(kind) {
  if (kind === 'pglite') return pglite();
  const postgres = await Postgres.start(SETTINGS);
  return {
    name: 'PostgreSQL',
    async create(setup) {
      const create = async (/** @type {string} */ one) => ({
        DATABASE_URL: await postgres.createDatabase(`${one}_${setup}`),
      });
      const [order, inventory] = await Promise.all([create('orders'), create('inventory')]);
      return { order, inventory };
    },
    roots: processesNaming(postgres.address.host),
    stop: () => postgres.stop(),
  };
}

/** @returns {Databases} */
function pglite() {
  const settings = (/** @type {string} */ folder) => ({ DATABASE_URL: '', DATA_DIR: folder });
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
