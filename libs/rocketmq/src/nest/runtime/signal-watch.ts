// Whether a signal ends the application in order. Nest listens to signals only when it is asked to.

import { SECOND_MS } from '../../support/clock.js';
import { IoTimer } from '../../support/io-timer.js';
import type { Logger } from '../../support/logger.js';

/** Applications may ask for it after `listen()` as well. */
const ASKED_WITHIN_MS = SECOND_MS;
const UNHEARD =
  'nothing listens to SIGTERM or SIGINT: such a signal ends the process while handlers run, and their messages wait until their leases end; call app.enableShutdownHooks()';

/** Warns if nobody does. */
export class SignalWatch {
  private readonly timer: IoTimer<Logger>;

  constructor(logger: Logger) {
    this.timer = new IoTimer(ASKED_WITHIN_MS, SignalWatch.look, logger);
  }

  stop(): void {
    this.timer.stop();
  }

  private static look(logger: Logger): void {
    const isHeard = ['SIGTERM', 'SIGINT'].some((signal) => process.listenerCount(signal) > 0);
    if (!isHeard) logger.warn(UNHEARD);
  }
}
