// The addresses that a route hands out: clients leave the address they were given and go on with these.

import { isIP } from 'node:net';
import { type Address, addressText } from '../../client/endpoint.js';
import { monotonicMs } from '../../support/deadline.js';
import { describeError } from '../../support/logger.js';
import type { Check } from './check.js';
import { type ProbeAccess, ProxyProbe } from './proxy-probe.js';
import { dial, noConnection, sinceMs } from './reach.js';

const WHY = 'clients ask the address that they are given for the route, and then talk to the addresses in it';
const IN_THE_CLIENT = 'or in the client set useBootstrapEndpoints or addressMapping';

/** Dials an address of a route from here. */
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
      seen: `the route hands it out, and ${seen}`,
      why: WHY,
      advice: cure(address, given),
    };
  }
  const probe = new ProxyProbe(address, access);
  try {
    await probe.greet();
  } catch (error) {
    const seen = `the route hands it out, and no proxy answers there: ${describeError(error)}`;
    return { ...check, status: 'failed', seen, why: WHY, advice: cure(address, given) };
  } finally {
    probe.close();
  }
  const seen = `the route hands it out, and a proxy answers there in ${sinceMs(startedAtMs)} ms`;
  const doubt = doubtAbout(address, given);
  if (doubt === undefined) return { ...check, status: 'ok', seen };
  return { ...check, status: 'warning', seen: `${seen}; ${doubt}`, why: WHY, advice: cure(address, given) };
}

/** Why an address may lead to another server than the one that handed it out. */
function doubtAbout(address: Address, given: readonly Address[]): string | undefined {
  if (given.some((one) => isSame(one, address))) return undefined;
  if (isLoopback(address.host) && !given.some(({ host }) => isLoopback(host)))
    return 'but it is an address of every machine: whoever answers is a server of this one';
  const sameHost = given.find(({ host }) => host === address.host || (isLoopback(host) && isLoopback(address.host)));
  if (sameHost === undefined || sameHost.port === address.port) return undefined;
  return `but you gave port ${sameHost.port}: is it the same server?`;
}

/** @see docs: in local mode a proxy hands out brokerIP1 and grpcServerPort; in cluster mode the hosts that it was asked by */
function cure(address: Address, given: readonly Address[]): string {
  const other = given.find(({ port }) => port !== address.port);
  const isOfGivenHost = given.some(
    ({ host }) => host === address.host || (isLoopback(host) && isLoopback(address.host)),
  );
  if (other !== undefined && isOfGivenHost) {
    return `the server hands out its own port ${address.port}, you came by ${other.port}: publish it under its own number (docker run -p ${address.port}:${address.port}), or set grpcServerPort in rmq-proxy.json to ${other.port}; ${IN_THE_CLIENT}`;
  }
  const kind = isLoopback(address.host)
    ? 'the server hands out a loopback address'
    : isInner(address.host)
      ? 'the server hands out what looks like an address inside a container or another network'
      : 'the server hands out an address that is of no use here';
  return `${kind}: set brokerIP1 in broker.conf to a host that clients can reach (of an embedded broker: advertisedAddress); ${IN_THE_CLIENT}`;
}

function isSame(left: Address, right: Address): boolean {
  return left.port === right.port && (left.host === right.host || (isLoopback(left.host) && isLoopback(right.host)));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127\./.test(host) || host === '::1' || host === '0.0.0.0';
}

/** An address of a private network, or a name without a dot as containers have. */
function isInner(host: string): boolean {
  if (isIP(host) === 0) return !host.includes('.');
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|f[cd])/i.test(host);
}
