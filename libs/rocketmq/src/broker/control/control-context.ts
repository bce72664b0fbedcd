// The parts of the broker that the control port uses.

import type { Clock } from '../../support/clock.js';
import type { Engine } from '../engine/engine.js';
import type { Faults } from '../services/faults.js';
import type { Sessions } from '../services/sessions.js';
import type { Store } from '../store/store.js';

export interface ControlContext {
  readonly engine: Engine;
  readonly store: Store;
  readonly storage: 'memory' | 'disk';
  /** Business time. The control port only reads it. */
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly faults: Faults;
  /** The addresses for clients. */
  endpoints(): string;
}
