// What protects the console from other pages in the same browser.

import { isIP } from 'node:net';
import { ConsoleRefusal, type ConsoleRequest } from './exchange.js';

/** The header that only scripts of this page can set: a form cannot, and a foreign script must ask first, which is never answered. */
const OWN_HEADER = 'x-rocketmq-console';

/**
 * Refuses a change that another page may have sent.
 * @throws ConsoleRefusal
 */
export function assertOwnPage({ headers }: ConsoleRequest): void {
  const [type] = (headers['content-type'] ?? '').split(';');
  if (type?.trim().toLowerCase() !== 'application/json')
    throw new ConsoleRefusal(415, 'NOT_JSON', 'a change is sent as application/json; nothing was changed');
  if (headers[OWN_HEADER] === undefined)
    throw new ConsoleRefusal(403, 'FOREIGN_PAGE', `the header ${OWN_HEADER} is missing; nothing was changed`);
  const site = headers['sec-fetch-site'];
  const isForeign = site !== undefined && site !== 'same-origin';
  // Not X-Forwarded-Host: a page may set it where the application answers the browser's question for all headers.
  if (isForeign || headers.host?.toLowerCase() !== hostOf(headers.origin))
    throw new ConsoleRefusal(
      403,
      'FOREIGN_PAGE',
      'another page sent this change, or a proxy does not pass on Host as the browser sent it; nothing was changed',
    );
}

/**
 * Refuses to read for another page: it would not see the answer, but each costs the cluster something.
 * @throws ConsoleRefusal
 */
export function assertOwnReading({ headers: { 'sec-fetch-site': site } }: ConsoleRequest): void {
  if (site === 'cross-site' || site === 'same-site')
    throw new ConsoleRefusal(403, 'FOREIGN_PAGE', 'another page asks; open the console itself');
}

/**
 * Refuses a request that does not come from this machine, by its connection and by the name in the address line: a page can make a name of
 * its own mean this machine.
 * @throws ConsoleRefusal
 */
export function assertLoopback({ headers, remoteAddress }: ConsoleRequest): void {
  if (!isLoopback(remoteAddress))
    throw new ConsoleRefusal(
      403,
      'NOT_LOCAL',
      'without guards, the console answers only on the machine on which it runs',
    );
  // A proxy on this machine would open it to whoever reaches the proxy.
  const clients = [headers['x-forwarded-for'], headers['x-real-ip']].flat().flatMap((list) => list?.split(',') ?? []);
  if (headers.forwarded !== undefined || clients.some((client) => !isLoopback(client.trim())))
    throw new ConsoleRefusal(403, 'NOT_LOCAL', 'without guards, the console does not answer through a proxy');
  const name = nameIn(headers.host);
  if (name !== 'localhost' && !isLoopback(name))
    throw new ConsoleRefusal(403, 'FOREIGN_HOST', 'open the console as localhost or by a loopback address');
}

function hostOf(origin: string | undefined): string | undefined {
  if (origin === undefined || !URL.canParse(origin)) return undefined;
  return new URL(origin).host;
}

function nameIn(host = ''): string {
  return host
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}

/** Whether this is an address of this machine that no other one reaches. */
export function isLoopback(address = ''): boolean {
  const plain = address.toLowerCase().replace(/^::ffff:/, '');
  if (isIP(plain) === 4) return plain.startsWith('127.');
  return plain === '::1';
}
