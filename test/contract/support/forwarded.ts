// A forwarder between clients and the server, which can lose, hold and alter what the server says.

import type { ConnectionOptions } from 'nestjs-rocketmq/client';
import { forwardTo, type TcpForwarder } from '../../fixtures/tcp-forwarder.js';
import { testTransport } from '../../fixtures/transport.js';
import { SHORT_REQUEST_MS } from './backend.js';
import type { World } from './world.js';

interface Forwarded {
  /** The caller closes it. */
  readonly forwarder: TcpForwarder;
  /** The options of connections through it, which do not wait long for what is lost. */
  readonly through: Partial<ConnectionOptions>;
}

/** @param rewrite what becomes of the bytes of the server */
export async function forwarded(world: World, rewrite?: (bytes: Buffer) => Buffer): Promise<Forwarded> {
  const forwarder = await forwardTo(await serverPort(world), rewrite);
  const { port } = forwarder;
  const requestTimeoutMs = SHORT_REQUEST_MS;
  if (testTransport === 'remoting')
    return { forwarder, through: { addressMapping: () => ({ host: '127.0.0.1', port }), requestTimeoutMs } };
  return { forwarder, through: { endpoints: `127.0.0.1:${port}`, useBootstrapEndpoints: true, requestTimeoutMs } };
}

async function serverPort(world: World): Promise<number> {
  if (testTransport !== 'remoting') return Number(world.backend.endpoints.split(':')[1]);
  const [broker] = await world.admin().brokers();
  return Number(broker?.address.split(':')[1]);
}
