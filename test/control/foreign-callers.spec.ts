// Which callers the broker's control port and the demos serve: the same rules, tested with one table.

import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rejectOtherSites } from 'demo-kit';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';

/** Both are configured with this name. */
const OWN = 'shop';

interface Caller {
  readonly who: string;
  readonly host: string;
  readonly origin?: string;
  readonly isTaken: boolean;
}

const CALLERS: readonly Caller[] = [
  { who: 'a program, by address', host: '127.0.0.1:PORT', isTaken: true },
  { who: 'a program, by an address of IPv6', host: '[::1]:PORT', isTaken: true },
  { who: 'a program, by localhost', host: 'localhost:PORT', isTaken: true },
  { who: 'a program, by a name under localhost', host: 'shop.localhost', isTaken: true },
  { who: 'a program, by its own name, in any letters', host: 'SHOP:PORT', isTaken: true },
  { who: 'its own page', host: 'localhost:PORT', origin: 'http://localhost:PORT', isTaken: true },
  { who: 'its own page behind TLS', host: 'shop', origin: 'https://shop', isTaken: true },
  { who: 'a foreign name that points here', host: 'attacker.example:PORT', isTaken: false },
  {
    who: 'a page of a foreign name that points here',
    isTaken: false,
    host: 'attacker.example',
    origin: 'http://attacker.example',
  },
  { who: 'a name that only begins as its own', host: 'shop.attacker.example', isTaken: false },
  { who: 'a name that only ends as localhost', host: 'notlocalhost', isTaken: false },
  { who: 'something that is no host', host: 'localhost@attacker.example', isTaken: false },
  { who: 'a page of another site', host: '127.0.0.1:PORT', origin: 'http://attacker.example', isTaken: false },
  { who: 'a page of another port', host: 'localhost:PORT', origin: 'http://localhost:1', isTaken: false },
  { who: 'a page that hides where it is from', host: 'localhost:PORT', origin: 'null', isTaken: false },
];

/** @returns the status */
function ask(port: number, path: string, method: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    request.end();
  });
}

async function isTaken(port: number, path: string, method: string, { host, origin }: Caller): Promise<boolean> {
  const at = (text: string): string => text.replace('PORT', String(port));
  const headers = { host: at(host), ...(origin === undefined ? {} : { origin: at(origin) }) };
  return (await ask(port, path, method, headers)) !== 403;
}

describe('the control port of a broker', () => {
  let broker: EmbeddedBroker;
  beforeAll(async () => {
    broker = new EmbeddedBroker({ controlPort: 0, advertisedAddress: { host: OWN, port: 8081 } });
    await broker.start();
  });
  afterAll(() => broker.stop());

  it.each(CALLERS.map((caller) => [caller.who, caller] as const))('answers %s', async (_, caller) => {
    const port = Number(new URL(broker.controlEndpoint).port);
    expect(await isTaken(port, '/health', 'GET', caller)).toBe(caller.isTaken);
  });
});

describe('a demo', () => {
  const reject = rejectOtherSites('Shop', undefined);
  const server = createServer((request, response) => reject(request, response, () => void response.end('ok')));
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  afterAll(() => new Promise((resolve) => server.close(resolve)));
  const port = (): number => (server.address() as AddressInfo).port;

  it.each(CALLERS.map((caller) => [caller.who, caller] as const))('answers %s', async (_, caller) => {
    for (const method of ['GET', 'POST']) expect(await isTaken(port(), '/', method, caller)).toBe(caller.isTaken);
  });

  it('can be linked from another site, but not changed by it', async () => {
    const headers = { host: `localhost:${port()}`, 'sec-fetch-site': 'cross-site' };
    expect([await ask(port(), '/', 'GET', headers), await ask(port(), '/', 'POST', headers)]).toEqual([200, 403]);
  });
});
