// What telemetry knows of a client. Producers and consumers report the measurements themselves.

import type { Clock } from '../support/clock.js';
import type { Connection } from './connection.js';
import type { Address } from './endpoint.js';

/** A producer or consumer, as telemetry sees it. */
export interface ObservedClient {
  /** The client id under which the server knows it. */
  readonly clientId: string;
  /** Empty if there is none. */
  readonly namespace: string;
  /** The first address of the connection's `endpoints`. */
  readonly server: Address;
  /** Business time. */
  readonly clock: Clock;
}

/** @param clientId called on demand, because the client may not exist yet */
export function observedClient(connection: Connection, clientId: () => string): ObservedClient {
  const { namespace, clock, bootstrap } = connection;
  const [server = { host: '', port: 0 }] = bootstrap.addresses;
  return {
    get clientId() {
      return clientId();
    },
    namespace,
    server,
    clock,
  };
}
