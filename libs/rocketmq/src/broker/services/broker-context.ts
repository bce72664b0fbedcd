// The parts of a broker that the services share.

import { isIP } from 'node:net';
import { AddressScheme, type Endpoints } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Clock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import type { AccessControl } from '../access/access-control.js';
import type { Engine } from '../engine/engine.js';
import type { Store } from '../store/store.js';
import type { Activity } from '../time/activity.js';
import type { ClientTime } from '../time/client-time.js';
import type { Faults } from './faults.js';
import type { PortTls } from './listener.js';
import type { LongPolls } from './long-polls.js';
import type { Sessions } from './sessions.js';

/** Host and port under which clients reach the broker. */
export interface BrokerAddress {
  /** A host name or an address of this machine. */
  readonly host: string;
  /** The port that clients connect to. */
  readonly port: number;
}

/** The parts of a broker that its services use. */
export interface BrokerContext {
  readonly engine: Engine;
  readonly store: Store;
  /** Business time, which tests can move. */
  readonly clock: Clock;
  /** Converts the moments in requests and answers. */
  readonly clientTime: ClientTime;
  /** Real time, for polls and sessions. */
  readonly realClock: Clock;
  readonly sessions: Sessions;
  readonly polls: LongPolls;
  readonly activity: Activity;
  readonly faults: Faults;
  readonly logger: Logger;
  readonly access: AccessControl;
  /** The TLS of the ports for clients. */
  readonly tls: PortTls;
  /** The addresses in routes: at least one. */
  addresses(): readonly BrokerAddress[];
  /** How far ahead delayed messages may be. */
  readonly maxDelayMs: number;
  /** Whether routes contain the address of the request, if the client sends it. */
  readonly advertiseAsAsked: boolean;
}

/** The addresses as the protocol's endpoints. They must be equal in every response, or clients take them for a new server. */
export function wireEndpoints(addresses: readonly BrokerAddress[]): Endpoints {
  const versions = new Set(addresses.map(({ host }) => isIP(host)));
  const [version] = versions.size === 1 ? versions : [];
  const scheme = version === 4 ? AddressScheme.IPv4 : version === 6 ? AddressScheme.IPv6 : AddressScheme.DOMAIN_NAME;
  return { scheme, addresses: addresses.map(({ host, port }) => ({ host, port })) };
}

/** `ip:port` for a message's store host: the first address. */
export function storeHostOf([first]: readonly BrokerAddress[]): string {
  return first === undefined ? '' : `${first.host}:${first.port}`;
}
