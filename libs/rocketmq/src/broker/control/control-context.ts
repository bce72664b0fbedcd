// The parts of the broker that the control port uses.

import type { Clock } from '../../support/clock.js';
import type { ConnectedClients } from '../connected-clients.js';
import type { Engine } from '../engine/engine.js';
import type { Faults } from '../services/faults.js';
import type { Store } from '../store/store.js';
import type { ClientTime } from '../time/client-time.js';
import type { TimeTravel } from '../time/time-travel.js';

export interface ControlContext {
  readonly engine: Engine;
  readonly store: Store;
  readonly storage: 'memory' | 'disk';
  /** Business time. */
  readonly clock: Clock;
  /** The clock of the clients, which differs from it once it was moved. */
  readonly clientTime: ClientTime;
  /** Moves that time; undefined if it cannot be moved. */
  readonly travel: TimeTravel | undefined;
  readonly clients: ConnectedClients;
  readonly faults: Faults;
  /** The addresses for clients. */
  endpoints(): string;
}
