// npm start: a broker, the two services and the console, until Ctrl-C.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';

const stopping = new AbortController();
const stopped = once(stopping.signal, 'abort');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => stopping.abort());
}

const broker = new EmbeddedBroker({
  adminPort: 0,
  controlPort: 0,
  timeTravel: true,
});
await broker.start();
const orders = startService('orders', await freePort(3000));
const stock = startService('stock', await freePort(3001));

await Promise.race([Promise.all([orders.ready, stock.ready]), stopped]);
if (!stopping.signal.aborted) console.log(greeting());
await stopped;
orders.child.kill();
stock.child.kill();
await Promise.all([orders.exited, stock.exited]);
await broker.stop();

function startService(name: 'orders' | 'stock', port: number) {
  const env = {
    ...process.env,
    PORT: String(port),
    ROCKETMQ_ENDPOINTS: broker.endpoints,
    ROCKETMQ_NAME_SERVER: broker.adminEndpoint,
    ROCKETMQ_CONTROL: broker.controlEndpoint,
  };
  const child = fork(new URL(`./${name}/main.js`, import.meta.url), { env });
  const exited = once(child, 'exit').then(() => {
    // It was not asked to: the other one stops as well.
    if (!stopping.signal.aborted) process.exitCode = 1;
    stopping.abort();
  });
  const ready = once(child, 'message');
  return { child, exited, ready, url: `http://127.0.0.1:${port}` };
}

/** The port, or any free one if it is in use. */
async function freePort(port: number): Promise<number> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  } catch {
    return freePort(0);
  } finally {
    server.close();
  }
}

function greeting(): string {
  return `
Orders   ${orders.url}/orders
Stock    ${stock.url}/stock
Console  ${orders.url}/rocketmq
Broker   ${broker.endpoints}, name server ${broker.adminEndpoint}

Order a tea, then look at it in the console:
  curl -X POST ${orders.url}/orders/tea

Press Ctrl-C to stop.`;
}
