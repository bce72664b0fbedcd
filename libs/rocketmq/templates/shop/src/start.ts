// npm start: a broker, the two services and the console, until Ctrl-C.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';

const stopping = new AbortController();
const stopped = once(stopping.signal, 'abort');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => stopping.abort());
}

const broker = new EmbeddedBroker({
  nameServerPort: 0,
  controlPort: 0,
  timeTravel: true,
});
await broker.start();
// The second service has the next port; with 0, both have any free one.
const port = Number(process.env.PORT ?? 3000);
const orders = startService('orders', port);
const stock = startService('stock', port === 0 ? 0 : port + 1);

void Promise.all([orders.url, stock.url]).then(greet);
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
    ROCKETMQ_NAME_SERVER: broker.nameServerEndpoint,
    ROCKETMQ_CONTROL: broker.controlEndpoint,
  };
  const child = fork(new URL(`./${name}/main.js`, import.meta.url), { env });
  const exited = once(child, 'exit').then(() => {
    // It was not asked to: the other one stops as well.
    if (!stopping.signal.aborted) process.exitCode = 1;
    stopping.abort();
  });
  const url = once(child, 'message').then(([message]) => String(message));
  return { child, exited, url };
}

function greet([ordersUrl, stockUrl]: string[]): void {
  if (stopping.signal.aborted) return;
  console.log(`
Orders   ${ordersUrl}/orders
Stock    ${stockUrl}/stock
Console  ${ordersUrl}/rocketmq
Broker   ${broker.endpoints}, name server ${broker.nameServerEndpoint}

Order a tea, then look at it in the console:
  curl -X POST ${ordersUrl}/orders/tea

Press Ctrl-C to stop.`);
}
