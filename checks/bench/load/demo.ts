// The processes of a setup: one order-demo, and as many inventory-demo in one consumer group as are wanted.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Service } from '../../../tools/process/service-process.js';
import { partsOf, type Share } from '../lib/profile.js';
import { detailOf, partOf } from './parts.js';

const root = join(import.meta.dirname, '..', '..', '..');
/** PGlite's first start takes long on a busy machine. */
const READY_MS = 90_000;
const STOP_MS = 5_000;
const OUTPUT_TAIL = 2_000;
/** Whatever the caller's environment says to the demos. */
const COMMON = {
  NODE_ENV: 'production',
  NO_COLOR: '1',
  PORT: '0',
  HOST: '',
  DEMO_FAULTS: '',
  DEMO_FAULT_POINT: '',
  CONTROL_ENDPOINT: '',
};
/** No order times out while it is measured. */
const PAYMENT_TIMEOUT = '12h';

/** For Node.js, in a process that is profiled. */
const PROFILED = ['--import', pathToFileURL(join(import.meta.dirname, 'profiled.mjs')).href];

/** `profile`: needs `isProfiled`. Of inventory-demo it profiles the first instance. */
export interface Demo {
  orderUrl: string;
  inventoryUrl: string;
  pids: Record<string, number[]>;
  failed: Promise<never>;
  profile: (work: () => Promise<void>) => Promise<Profiles>;
  stop: () => Promise<void>;
}

/** The time of each part, by demo. */
export type Profiles = Record<string, Share[]>;

/**
 * @returns `failed` when a process ends by itself
 * @throws Error with the end of its output when one does not start
 */
export async function startDemo({
  endpoints,
  instances,
  isProfiled,
  products,
  folder,
  databases,
}: {
  endpoints: string;
  instances: number;
  isProfiled: boolean;
  products: readonly { sku: string; quantity: number }[];
  folder: string;
  databases: { order: Record<string, string>; inventory: Record<string, string> };
}): Promise<Demo> {
  const services: Service[] = [];
  const start = async (name: string, more: Record<string, string>) => {
    const env = { ...process.env, ...COMMON, ROCKETMQ_ENDPOINTS: endpoints, ...more };
    const service = new Service(name, [join(root, 'apps', name, 'dist', 'main.js')], {
      cwd: folder,
      env,
      execArgv: isProfiled ? PROFILED : [],
    });
    services.push(service);
    const { url } = await service.ready(READY_MS);
    return { url, service };
  };
  const stop = async () => {
    await Promise.all(services.map((service) => service.stop(STOP_MS)));
  };
  try {
    const stock = products.map(({ sku, quantity }) => `${sku}:${quantity}`).join(',');
    const inventories = await Promise.all(
      Array.from({ length: instances }, () => start('inventory-demo', { ...databases.inventory, STOCK: stock })),
    );
    const inventoryUrl = String(inventories[0]?.url);
    const timeout = { ORDER_PAYMENT_TIMEOUT: PAYMENT_TIMEOUT, INVENTORY_URL: inventoryUrl };
    const order = await start('order-demo', { ...databases.order, ...timeout });
    const failed = Promise.race(services.map(endOf));
    failed.catch(() => {});
    const pidOf = ({ service }: { service: Service }) => service.pid ?? [];
    const pids = { 'order-demo': [order].flatMap(pidOf), 'inventory-demo': inventories.flatMap(pidOf) };
    const profiled = [order, ...inventories.slice(0, 1)].map(({ service }) => service);
    const profile = (work: () => Promise<void>) => profileOf(profiled, work);
    return { orderUrl: order.url, inventoryUrl, pids, failed, profile, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function profileOf(services: readonly Service[], work: () => Promise<void>): Promise<Profiles> {
  await Promise.all(services.map((service) => ask(service, 'profile: start')));
  await work();
  const shares = services.map(async (service) => {
    const { file } = await ask(service, 'profile: stop');
    return [service.name, partsOf(JSON.parse(readFileSync(file, 'utf8')), partOf, detailOf)];
  });
  return Object.fromEntries(await Promise.all(shares));
}

/** Asks what `profiled.mjs` answers. */
async function ask(service: Service, message: string) {
  const answer = await service.ask(message);
  if (answer.error !== undefined) throw new Error(`${service.name}: ${answer.error}`);
  return answer;
}

async function endOf(service: Service): Promise<never> {
  const how = await service.ended;
  throw new Error(`${service.name} ended: ${how}\n${service.output.slice(-OUTPUT_TAIL)}`);
}
