// The control port of a broker: puts its parts together.

import type { Clock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import type { AccessControl } from '../access/access-control.js';
import type { PortTls } from '../services/listener.js';
import type { ControlContext } from './control-context.js';
import { controlRoutes } from './control-requests.js';
import { ControlServer } from './control-server.js';

/** The parts of the broker that its control port works on. */
export interface ControlledBroker extends ControlContext {
  readonly access: AccessControl;
  readonly realClock: Clock;
  readonly logger: Logger;
  /** Undefined for plaintext. */
  readonly tls: PortTls | undefined;
  /** Names by which the broker is called, beside addresses and `localhost`. */
  readonly names: readonly string[];
}

/** Makes the control port; it does not listen yet. */
export function controlPortOf(broker: ControlledBroker): ControlServer {
  const { access, realClock, logger, tls, names } = broker;
  return new ControlServer({
    routes: controlRoutes(broker),
    admit: (authorization) => access.admitControl(authorization),
    ownNames: names,
    ...{ realClock, logger, tls },
  });
}
