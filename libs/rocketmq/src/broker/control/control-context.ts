// What the control port works on.

import type { Clock } from '../../support/clock.js';
import type { Engine } from '../engine/engine.js';
import type { Faults } from '../services/faults.js';
import type { Sessions } from '../services/sessions.js';
import type { Store } from '../store/store.js';

export interface ControlContext {
  readonly engine: Engine;
  readonly store: Store;
  readonly storage: 'memory' | 'disk';
  /** Business time. It is read here, and never moved. */
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly faults: Faults;
  /** Where clients connect. */
  endpoints(): string;
}
