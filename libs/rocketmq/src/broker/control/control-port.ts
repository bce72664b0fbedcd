// Puts the parts of a broker's control port together.

import type { Clock } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import type { AccessControl } from '../access/access-control.js';
import type { PortTls } from '../services/listener.js';
import type { ControlContext } from './control-context.js';
import { controlRoutes } from './control-requests.js';
import { ControlServer } from './control-server.js';

/** The parts of the broker that its control port uses. */
interface ControlledBroker extends ControlContext {
  readonly access: AccessControl;
  readonly realClock: Clock;
  readonly logger: Logger;
  /** Undefined for plaintext. */
  readonly tls: PortTls | undefined;
  /** Host names of the broker, in addition to IP addresses and `localhost`. */
  readonly names: readonly string[];
}

/** Creates the control port; it does not listen yet. */
export function controlPortOf(broker: ControlledBroker): ControlServer {
  const { access, realClock, logger, tls, names } = broker;
  return new ControlServer({
    routes: controlRoutes(broker),
    admit: (authorization) => access.admitControl(authorization),
    ownNames: names,
    realClock,
    logger,
    tls,
  });
}
