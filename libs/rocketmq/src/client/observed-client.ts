// What telemetry may know of a client. What is measured is said by producers and consumers themselves.

import type { Clock } from '../support/clock.js';
import type { Connection } from './connection.js';
import type { Address } from './endpoint.js';

/** A producer or consumer, as those who measure it see it. */
export interface ObservedClient {
  /** By which the server knows it. */
  readonly clientId: string;
  /** Empty where there is none. */
  readonly namespace: string;
  /** The first address of the connection's `endpoints`. */
  readonly server: Address;
  /** Business time. */
  readonly clock: Clock;
}

/** @param clientId asked for when somebody wants to know: the client may be yet to be made */
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
