// The addresses in a route: clients switch from the address that they were given to these.

import { isIP } from 'node:net';
import { type Address, addressText } from '../../client/endpoint.js';
import { monotonicMs } from '../../support/deadline.js';
import { describeError } from '../../support/logger.js';
import type { Check } from './check.js';
import { type ProbeAccess, ProxyProbe } from './proxy-probe.js';
import { dial, noConnection, sinceMs } from './reach.js';

const WHY = 'clients ask the address that they are given for the route, and then connect to the addresses in it';
const IN_THE_CLIENT = 'or set useBootstrapEndpoints or addressMapping in the client';

/** Connects to an address of a route. */
export async function checkAdvertised(
  address: Address,
  given: readonly Address[],
  access: ProbeAccess,
): Promise<Check> {
  const check = { name: 'address', subject: addressText(address) };
  const startedAtMs = monotonicMs();
  try {
    await dial(address, access.timeoutMs);
  } catch (error) {
    const { seen } = noConnection(error);
    return {
      ...check,
      status: 'failed',
      seen: `the route contains it, but ${seen}`,
      why: WHY,
      advice: cure(address, given),
    };
  }
  const probe = new ProxyProbe(address, access);
  try {
    await probe.identify();
  } catch (error) {
    const seen = `the route contains it, but no proxy answers there: ${describeError(error)}`;
    return { ...check, status: 'failed', seen, why: WHY, advice: cure(address, given) };
  } finally {
    probe.close();
  }
  const seen = `the route contains it, and a proxy answers there in ${sinceMs(startedAtMs)} ms`;
  const doubt = doubtAbout(address, given);
  if (doubt === undefined) return { ...check, status: 'ok', seen };
  return { ...check, status: 'warning', seen: `${seen}; ${doubt}`, why: WHY, advice: cure(address, given) };
}

/** Why an address may belong to another server than the one that returned it. */
function doubtAbout(address: Address, given: readonly Address[]): string | undefined {
  if (given.some((one) => isSame(one, address))) return undefined;
  if (isLoopback(address.host) && !given.some(({ host }) => isLoopback(host)))
    return 'but it is a loopback address: what answers is a server on this machine';
  const sameHost = given.find(({ host }) => host === address.host || (isLoopback(host) && isLoopback(address.host)));
  if (sameHost === undefined || sameHost.port === address.port) return undefined;
  return `but the given port is ${sameHost.port}: is it the same server?`;
}

/** In local mode a proxy returns brokerIP1 and grpcServerPort, in cluster mode the hosts of the request. */
function cure(address: Address, given: readonly Address[]): string {
  const other = given.find(({ port }) => port !== address.port);
  const isOfGivenHost = given.some(
    ({ host }) => host === address.host || (isLoopback(host) && isLoopback(address.host)),
  );
  if (other !== undefined && isOfGivenHost) {
    return `the server returns its own port ${address.port}, but you connected to ${other.port}: publish the port under the same number (docker run -p ${address.port}:${address.port}), or set grpcServerPort in rmq-proxy.json to ${other.port}; ${IN_THE_CLIENT}`;
  }
  const kind = isLoopback(address.host)
    ? 'the server returns a loopback address'
    : isInner(address.host)
      ? 'the server returns what looks like an address inside a container or another network'
      : 'the server returns an address that does not work from here';
  return `${kind}: set brokerIP1 in broker.conf to a host that clients can reach (for an embedded broker: advertisedAddress); ${IN_THE_CLIENT}`;
}

function isSame(left: Address, right: Address): boolean {
  return left.port === right.port && (left.host === right.host || (isLoopback(left.host) && isLoopback(right.host)));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127\./.test(host) || host === '::1' || host === '0.0.0.0';
}

/** An address of a private network, or a name without a dot, as containers have. */
function isInner(host: string): boolean {
  if (isIP(host) === 0) return !host.includes('.');
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|f[cd])/i.test(host);
}
