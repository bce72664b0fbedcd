// Where clients reach the broker: what its routes name.

import { networkInterfaces } from 'node:os';

/** Where clients reach the broker. */
export interface AdvertisedAddress {
  /** A host name or an address that all clients can connect to. */
  readonly host: string;
  /** The port for gRPC, if it is published under another number. Default: the port of the broker. */
  readonly port?: number;
  /** The port for the remoting protocol, if it is published under another number. Default: the name server port of the broker. */
  readonly nameServerPort?: number;
}

/** Whether a broker that listens there listens on all addresses of this machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** The host for clients of a broker that listens on `host`: of all addresses, the first one of a network, as a real broker chooses it. */
export function reachableHost(host: string): string {
  if (!isWildcard(host)) return host;
  const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.filter((one) => !one.internal));
  const chosen = own.find(({ family }) => family === 'IPv4') ?? own[0];
  return chosen?.address ?? (host === '::' ? '::1' : '127.0.0.1');
}
