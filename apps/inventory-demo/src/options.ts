// The settings of inventory-demo.

import {
  type Checkpoint,
  ConfigurationError,
  type Environment,
  type Faults,
  faultCheckpoint,
  faultsOf,
  type MetricsSource,
  portOf,
  requiredText,
  textOf,
} from 'demo-kit';
import type { Clock } from 'nestjs-rocketmq/client';
import { type Product, productsOf } from './stock/products.js';

export interface InventoryDemoOptions {
  /** The address to listen on; a name there is one to be asked by. Default: tests listen as they like. */
  readonly host?: string;
  /** `host:8081` of RocketMQ. */
  readonly endpoints: string;
  /** A PostgreSQL, as `postgres://user:password@host/database`; undefined takes PGlite, in this process. */
  readonly databaseUrl?: string;
  /** Where PGlite keeps its data; undefined keeps them in memory. */
  readonly dataFolder: string | undefined;
  /** What there is when the database is new; later the same. Default: 100 books, 10 chairs, 25 lamps. */
  readonly products?: readonly Product[];
  /** Business time. Default: the machine's. */
  readonly clock?: Clock;
  /** Awaited at named points of the library. For tests. */
  readonly checkpoint?: (...at: Parameters<Checkpoint>) => Promise<void> | void;
  /** What visitors may break. Default: nothing. */
  readonly faults?: Faults;
  /** What `/metrics` serves. Default: there is no such path. */
  readonly metrics?: MetricsSource;
}

/** Settings of the process on top. */
export interface InventoryDemoEnvironment extends InventoryDemoOptions {
  readonly port: number;
  /** The address to listen on. */
  readonly host: string;
}

/** @throws ConfigurationError that names the variable */
export function optionsOf(env: Environment): InventoryDemoEnvironment {
  const endpoints = requiredText(env, 'ROCKETMQ_ENDPOINTS', 'where RocketMQ is, as 127.0.0.1:8081');
  if (endpoints.startsWith('embedded:')) {
    const text =
      'ROCKETMQ_ENDPOINTS: two processes cannot share an embedded broker; npm start runs one beside the demos';
    throw new ConfigurationError(text);
  }
  const faults = faultsOf(env);
  return {
    endpoints,
    port: portOf(env, 'PORT', 3001),
    host: textOf(env, 'HOST') ?? '127.0.0.1',
    databaseUrl: textOf(env, 'DATABASE_URL'),
    dataFolder: textOf(env, 'DATA_DIR') ?? 'data/inventory-demo',
    products: productsOf(env),
    checkpoint: faultCheckpoint(env) ?? faults?.checkpoint,
    faults,
  };
}

/** The injection token of {@link InventoryDemoOptions}. */
export const INVENTORY_DEMO_OPTIONS = Symbol('inventory-demo options');
