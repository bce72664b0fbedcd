// Connection strings, server addresses, and their wire form.

import { isIPv4, isIPv6 } from 'node:net';
import {
  AddressScheme,
  type Endpoints as WireEndpoints,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { UsageError } from '../support/errors.js';

/** One TCP address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One server (or several that share their state) with all its addresses; at least one. */
export interface Endpoint {
  readonly addresses: readonly Address[];
}

/** The same string for the same endpoint, for use as a map key and in log lines. */
export function endpointKey(endpoint: Endpoint): string {
  return endpoint.addresses.map(addressText).join(';');
}

/** `host:port`, with brackets around an IPv6 host. */
export function addressText({ host, port }: Address): string {
  // Only IPv6 hosts contain a colon.
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What stands before the addresses. `https`: TLS; `http`: plaintext; `name-server`: name servers instead of proxies. */
type Scheme = 'http' | 'https' | 'name-server';

/** The scheme of endpoints; undefined without one. */
export function schemeOf(text: string): Scheme | undefined {
  if (areNameServers(text)) return 'name-server';
  return /^(https?):\/\//.exec(text)?.[1] as Scheme | undefined;
}

/** Endpoints with the same meaning, as one text: without spaces and empty parts. @throws UsageError `ILLEGAL_ENDPOINTS` */
export function canonicalEndpoints(text: string): string {
  const addresses = endpointKey(parseEndpoints(text));
  const scheme = schemeOf(text);
  if (scheme === undefined) return addresses;
  return scheme === 'name-server' ? NAME_SERVER + addresses : `${scheme}://${addresses}`;
}

/** Begins the addresses of name servers, as opposed to those of proxies. */
const NAME_SERVER = 'name-server:';

/** Whether endpoints are those of name servers. */
export function areNameServers(text: string): boolean {
  return typeof text === 'string' && text.trimStart().startsWith(NAME_SERVER);
}

/**
 * Parses `host:8081;host2:8081`. A leading `http://` or `https://` is accepted; {@link schemeOf} interprets it. So is a leading
 * `name-server:`, which may be repeated for each address; {@link areNameServers} interprets it.
 * @throws UsageError `ILLEGAL_ENDPOINTS` that says what is wrong
 */
export function parseEndpoints(text: string): Endpoint {
  if (typeof text !== 'string' || /^[\s;]*$/.test(text)) {
    throw refused(String(text), 'it is empty; set it to the address of a RocketMQ proxy, for example "127.0.0.1:8081"');
  }
  if (text.startsWith('embedded:')) {
    throw refused(text, 'an embedded broker is started by the Nest module or by TestBroker; set this to its address');
  }
  const isNameServers = areNameServers(text);
  const parts = text
    .replace(/^https?:\/\//, '')
    .split(';')
    .map((part) => part.trim())
    .map((part) => (isNameServers && part.startsWith(NAME_SERVER) ? part.slice(NAME_SERVER.length).trim() : part));
  return { addresses: parts.filter((part) => part !== '').map((part) => parseAddress(part, text)) };
}

/** Whether {@link parseAddress} can read it. */
export function isAddress(part: string): boolean {
  const port = Number(/^(?:\[[^\]]+\]|[^:\s/]+):(\d{1,5})$/.exec(part)?.[1]);
  return port >= 1 && port <= 65_535;
}

/** Parses `host:8081`. @throws UsageError `ILLEGAL_ENDPOINTS` */
export function parseAddress(part: string, whole = part): Address {
  if (whole.includes('@')) throw refused(whole, 'an address has no user and password; set `credentials` instead');
  const match = /^(?:\[([^\]]+)\]|([^:\s/]+)):(\d{1,5})$/.exec(part);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    throw refused(whole, `"${part}" is not "host:port" with a port from 1 to 65535`);
  }
  return { host, port };
}

function refused(text: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_ENDPOINTS', `endpoints "${withoutUser(text)}": ${problem}`, 'endpoints');
}

/** An error must not show the password that somebody put there. */
function withoutUser(text: string): string {
  const at = text.lastIndexOf('@');
  return at === -1 ? text : `…${text.slice(at)}`;
}

/** The wire form of an endpoint. */
export function toWireEndpoints({ addresses }: Endpoint): WireEndpoints {
  const every = (test: (host: string) => boolean): boolean => addresses.every(({ host }) => test(host));
  const scheme = every(isIPv4) ? AddressScheme.IPv4 : every(isIPv6) ? AddressScheme.IPv6 : AddressScheme.DOMAIN_NAME;
  return { scheme, addresses: addresses.map(({ host, port }) => ({ host, port })) };
}
