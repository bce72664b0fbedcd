// The databases of compose.yaml: DEMO_DATABASE chooses one of docker/databases-*.yaml, which Compose includes.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checks } from '../../../tools/checks.js';
import { DATABASE_SERVERS } from '../../../tools/servers/database-server.js';
import { loadCompose, serviceOf } from './compose-loader.js';
import type { ComposeModel } from './compose-model.js';

const VARIABLE = /\$\{DEMO_DATABASE:-postgres\}/g;
const APPS = { 'order-demo': 'order-database', 'inventory-demo': 'inventory-database' } as const;

/**
 * Each value of DEMO_DATABASE: the image that has to answer, its variables for user, password and database, and the server here that
 * takes its place.
 */
const KINDS = {
  postgres: {
    image: 'postgres',
    variables: ['POSTGRES_USER', 'POSTGRES_PASSWORD', 'POSTGRES_DB'],
    server: DATABASE_SERVERS.postgresql,
  },
  mysql: {
    image: 'mysql',
    variables: ['MYSQL_USER', 'MYSQL_PASSWORD', 'MYSQL_DATABASE'],
    server: DATABASE_SERVERS.mariadb,
  },
} as const;

type DatabaseValue = keyof typeof KINDS;

/**
 * compose.yaml with a value of DEMO_DATABASE. The loader knows no variables, so it is written into a copy.
 * @param folder for the copy
 */
export function loadOn(program: string, file: string, folder: string, value: DatabaseValue): ComposeModel {
  const copy = join(folder, `compose-${value}.yaml`);
  writeFileSync(copy, readFileSync(file, 'utf8').replaceAll(VARIABLE, value));
  return loadCompose(program, copy);
}

/** @param byDefault without the variable */
export async function lookAtDatabases(
  models: Readonly<Record<DatabaseValue, ComposeModel>>,
  byDefault: ComposeModel,
  checks: Checks,
): Promise<void> {
  for (const [value, { image, variables }] of entriesOf(KINDS)) {
    await checks.check(
      `with DEMO_DATABASE=${value} each app knows its database, and keeps it in a volume of its own`,
      () => {
        const model = models[value];
        for (const [app, database] of Object.entries(APPS)) {
          const { protocol, host, username, password, pathname } = databaseUrlOf(model, app);
          const service = serviceOf(model, database);
          same([protocol, host, service.image.split(':')[0]], [`${value}:`, database, image]);
          same(
            [username, password, pathname.slice(1)],
            variables.map((name) => service.environment[name]),
          );
          const networks = Object.keys(service.networks ?? {});
          same(
            networks.filter((name) => name in (serviceOf(model, app).networks ?? {})),
            networks,
          );
          same(serviceOf(model, app).depends_on?.[database]?.condition, 'service_healthy');
        }
      },
    );
  }
  await checks.check('without DEMO_DATABASE it is PostgreSQL, and no two databases share a volume', () => {
    same(byDefault.services['order-database'], models.postgres.services['order-database']);
    const volumes = Object.values(models).flatMap(({ services }) =>
      Object.values(APPS).map((name) => services[name]?.volumes?.[0]?.source),
    );
    same(new Set(volumes).size, volumes.length);
  });
}

export function databaseUrlOf(model: ComposeModel, app: string) {
  return new URL(serviceOf(model, app).environment.DATABASE_URL ?? '');
}

/** The server that takes the place of the image here. */
export function serverOf(value: DatabaseValue) {
  return KINDS[value].server;
}

function entriesOf<T extends object>(object: T): [keyof T, T[keyof T]][] {
  return Object.entries(object) as [keyof T, T[keyof T]][];
}

function same(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  throw new Error(`it is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}
