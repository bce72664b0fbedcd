// The settings of inventory-demo.

import {
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
import type { CheckpointHook } from 'nestjs-rocketmq/testing';
import { type Product, productsOf } from './stock/products.js';

export interface InventoryDemoOptions {
  /** The address to listen on; a host name is also accepted in requests. Default: chosen by tests. */
  readonly host?: string;
  /** `host:8081` of RocketMQ. */
  readonly endpoints: string;
  /** `postgres://`, `mysql://` or `mariadb://user:password@host/database`; undefined uses PGlite in this process. */
  readonly databaseUrl?: string;
  /** The data folder of PGlite; undefined keeps it in memory. */
  readonly dataFolder: string | undefined;
  /** The initial stock of a new database; it cannot be changed later. Default: 100 books, 10 chairs, 25 lamps. */
  readonly products?: readonly Product[];
  /** Business time. Default: the machine's. */
  readonly clock?: Clock;
  /** Called and awaited at named points of the library. For tests. */
  readonly checkpoint?: CheckpointHook;
  /** The faults that visitors can inject. Default: none. */
  readonly faults?: Faults;
  /** Serves `/metrics`. Default: no such path. */
  readonly metrics?: MetricsSource;
}

/** Additional settings of the process. */
interface InventoryDemoEnvironment extends InventoryDemoOptions {
  readonly port: number;
  /** The address to listen on. */
  readonly host: string;
}

/** @throws ConfigurationError that names the variable */
export function optionsOf(env: Environment): InventoryDemoEnvironment {
  const endpoints = requiredText(env, 'ROCKETMQ_ENDPOINTS', 'the address of RocketMQ, such as 127.0.0.1:8081');
  if (endpoints.startsWith('embedded:')) {
    const text =
      'ROCKETMQ_ENDPOINTS: the two demos cannot share an embedded broker in a process; npm start runs one as a process';
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
