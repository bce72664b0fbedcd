// What protects the console from other pages in the same browser.

import { isIP } from 'node:net';
import { ConsoleRejection, type ConsoleRequest } from './exchange.js';

/** The header that only scripts of this page can set: a form cannot, and a foreign script must ask first, which is never answered. */
const OWN_HEADER = 'x-rocketmq-console';

/**
 * Rejects a change that another page may have sent.
 * @throws ConsoleRejection
 */
export function assertOwnPage({ headers, host }: ConsoleRequest): void {
  const [type] = (headers['content-type'] ?? '').split(';');
  if (type?.trim().toLowerCase() !== 'application/json')
    throw new ConsoleRejection(415, 'NOT_JSON', 'a change is sent as application/json; nothing was changed');
  if (headers[OWN_HEADER] === undefined)
    throw new ConsoleRejection(403, 'FOREIGN_PAGE', `the header ${OWN_HEADER} is missing; nothing was changed`);
  const site = headers['sec-fetch-site'];
  const origin = hostOf(headers.origin);
  if ((site !== undefined && site !== 'same-origin') || origin === undefined)
    throw new ConsoleRejection(403, 'FOREIGN_PAGE', 'another page sent this change; nothing was changed');
  if (host?.toLowerCase() === origin) return;
  const message = `the page is at ${origin}, but the request is for ${host}: another page sent it, or a proxy changed Host; let the proxy keep it, or let the application trust the proxy; nothing was changed`;
  throw new ConsoleRejection(403, 'FOREIGN_PAGE', message);
}

/**
 * Does not read for another page: it sees the answer only where the application lets other origins in (CORS), but each costs the cluster something.
 * @throws ConsoleRejection
 */
export function assertOwnReading({ headers: { 'sec-fetch-site': site, origin }, host }: ConsoleRequest): void {
  // Without TLS, browsers do not say which site asks; a page does not name its origin to its own server.
  const isForeign = site === undefined && origin !== undefined && hostOf(origin) !== host?.toLowerCase();
  if (site === 'cross-site' || site === 'same-site' || isForeign)
    throw new ConsoleRejection(403, 'FOREIGN_PAGE', 'another page asks; open the console itself');
}

/**
 * Rejects a request that does not come from this machine, by its connection and by the name in the address line: a page can make a name of
 * its own mean this machine.
 * @throws ConsoleRejection
 */
export function assertLoopback({ headers, remoteAddress }: ConsoleRequest): void {
  if (!isLoopback(remoteAddress))
    throw new ConsoleRejection(
      403,
      'NOT_LOCAL',
      'without guards, the console answers only on the machine on which it runs',
    );
  const name = nameIn(headers.host);
  if (name !== 'localhost' && !isLoopback(name))
    throw new ConsoleRejection(403, 'FOREIGN_HOST', 'open the console as localhost or by a loopback address');
}

/**
 * Rejects a request that a proxy on this machine passes on for another one: its connection looks like one from here.
 * @throws ConsoleRejection
 */
export function assertNotForwarded({ headers, httpVersion }: ConsoleRequest): void {
  const valuesOf = (name: string): readonly string[] =>
    [headers[name] ?? []].flat().flatMap((value) => value.split(','));
  const inStandard = (pairs: RegExp): readonly string[] =>
    Array.from((headers.forwarded ?? '').matchAll(pairs), ([, one = '']) => one);
  const clients = [...CLIENTS.flatMap(valuesOf), ...inStandard(/\bfor=([^;,]*)/gi)];
  const hosts = [...valuesOf('x-forwarded-host'), ...inStandard(/\bhost=([^;,]*)/gi)];
  const isLocal = (text: string): boolean => {
    const given = text.trim().replace(/^"(.*)"$/, '$1');
    return given === '' || isLoopback(given) || isLoopback(nameIn(given)) || nameIn(given) === 'localhost';
  };
  // A proxy that names no client passes on for anybody. Browsers speak newer versions, but many a proxy speaks this one.
  const isProxied = Object.keys(headers).some((name) => name.startsWith('x-forwarded-') || name === 'forwarded');
  const isUnnamed = isProxied && clients.every((one) => one.trim() === '') && !hosts.some((one) => one.trim() !== '');
  const isOfProxy = headers.via !== undefined || httpVersion === '1.0' || isUnnamed;
  if (isOfProxy || ![...clients, ...hosts].every(isLocal))
    throw new ConsoleRejection(
      403,
      'NOT_LOCAL',
      'without guards, the console answers only the machine on which it runs, and a proxy passed this request on; set guards',
    );
}

/** In which proxies name the client. */
const CLIENTS = [
  'x-forwarded-for',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-original-forwarded-for',
  'x-envoy-external-address',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
];

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
