// Connection strings, server addresses, and their wire form.

import { isIPv4, isIPv6 } from 'node:net';
import {
  AddressScheme,
  type Endpoints as WireEndpoints,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { type Address, addressIn, addressText, readAddresses, shownAddress } from '../support/address.js';
import { UsageError } from '../support/errors.js';
import { describe } from '../support/options.js';

export { type Address, addressText };

/** One server (or several that share their state) with all its addresses; at least one. */
export interface Endpoint {
  readonly addresses: readonly Address[];
}

/** The same string for the same endpoint, for use as a map key and in log lines. */
export function endpointKey(endpoint: Endpoint): string {
  return endpoint.addresses.map(addressText).join(';');
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
    throw rejected(
      typeof text === 'string' ? text : describe(text),
      'it is empty; set it to the address of a RocketMQ proxy, for example "127.0.0.1:8081"',
    );
  }
  if (text.startsWith('embedded:')) {
    throw rejected(
      shownAddress(text),
      'an embedded broker is started by the Nest module or by TestBroker; set this to its address',
    );
  }
  const isNameServers = areNameServers(text);
  const strip = (part: string): string =>
    isNameServers && part.startsWith(NAME_SERVER) ? part.slice(NAME_SERVER.length).trim() : part;
  return { addresses: readAddresses(text.replace(/^https?:\/\//, ''), rejected, strip) };
}

/** Whether {@link parseAddress} can read it. */
export function isAddress(part: string): boolean {
  return addressIn(part) !== undefined;
}

/** Parses `host:8081`. @throws UsageError `ILLEGAL_ENDPOINTS` */
export function parseAddress(part: string): Address {
  const [address] = readAddresses(part, rejected);
  return address as Address;
}

function rejected(shown: string, problem: string): UsageError {
  return new UsageError('ILLEGAL_ENDPOINTS', `endpoints "${shown}": ${problem}`, 'endpoints');
}

/** The wire form of an endpoint. */
export function toWireEndpoints({ addresses }: Endpoint): WireEndpoints {
  const every = (test: (host: string) => boolean): boolean => addresses.every(({ host }) => test(host));
  const scheme = every(isIPv4) ? AddressScheme.IPv4 : every(isIPv6) ? AddressScheme.IPv6 : AddressScheme.DOMAIN_NAME;
  return { scheme, addresses: addresses.map(({ host, port }) => ({ host, port })) };
}
