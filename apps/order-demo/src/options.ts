// The settings of order-demo.

import {
  ConfigurationError,
  durationOf,
  type Environment,
  type Faults,
  faultCheckpoint,
  faultsOf,
  type MetricsSource,
  portOf,
  requiredText,
  textOf,
} from 'demo-kit';
import { type Clock, HOUR_MS, SECOND_MS } from 'nestjs-rocketmq/client';
import type { CheckpointHook } from 'nestjs-rocketmq/testing';

/** The server rejects messages with a longer delay. */
const MAX_DELAY_MS = 24 * HOUR_MS;

export interface OrderDemoOptions {
  /** The address to listen on; a host name is also accepted in requests. Default: chosen by tests. */
  readonly host?: string;
  /** `host:8081` of RocketMQ. */
  readonly endpoints: string;
  /** `postgres://`, `mysql://` or `mariadb://user:password@host/database`; undefined uses PGlite in this process. */
  readonly databaseUrl?: string;
  /** The data folder of PGlite; undefined keeps it in memory. */
  readonly dataFolder: string | undefined;
  /** How long an order may stay unpaid. */
  readonly paymentTimeoutMs: number;
  /** Business time. Default: the machine's. */
  readonly clock?: Clock;
  /** Called and awaited at named points of the library. For tests. */
  readonly checkpoint?: CheckpointHook;
  /** The URL of inventory-demo, for the page. Default: none. */
  readonly inventoryUrl?: string;
  /** The control port of the embedded broker, for "time out now". Default: none. */
  readonly controlEndpoint?: string;
  /** The name servers, for the console. Default: none, and no console. */
  readonly nameServer?: string;
  /** The faults that visitors can inject. Default: none. */
  readonly faults?: Faults;
  /** Serves `/metrics`. Default: no such path. */
  readonly metrics?: MetricsSource;
}

/** Additional settings of the process. */
interface OrderDemoEnvironment extends OrderDemoOptions {
  readonly port: number;
  /** The address to listen on. */
  readonly host: string;
}

/** @throws ConfigurationError that names the variable */
export function optionsOf(env: Environment): OrderDemoEnvironment {
  const endpoints = requiredText(env, 'ROCKETMQ_ENDPOINTS', 'the address of RocketMQ, such as 127.0.0.1:8081');
  if (endpoints.startsWith('embedded:')) {
    const text =
      'ROCKETMQ_ENDPOINTS: the two demos cannot share an embedded broker in a process; npm start runs one as a process';
    throw new ConfigurationError(text);
  }
  const faults = faultsOf(env);
  return {
    endpoints,
    port: portOf(env, 'PORT', 3000),
    host: textOf(env, 'HOST') ?? '127.0.0.1',
    databaseUrl: textOf(env, 'DATABASE_URL'),
    dataFolder: textOf(env, 'DATA_DIR') ?? 'data/order-demo',
    paymentTimeoutMs: durationOf(env, 'ORDER_PAYMENT_TIMEOUT', {
      otherwiseMs: 30 * SECOND_MS,
      maxMs: MAX_DELAY_MS,
    }),
    checkpoint: faultCheckpoint(env) ?? faults?.checkpoint,
    faults,
    inventoryUrl: textOf(env, 'INVENTORY_URL') ?? 'http://127.0.0.1:3001',
    controlEndpoint: textOf(env, 'CONTROL_ENDPOINT'),
    nameServer: textOf(env, 'NAME_SERVER'),
  };
}

/** The injection token of {@link OrderDemoOptions}. */
export const ORDER_DEMO_OPTIONS = Symbol('order-demo options');
