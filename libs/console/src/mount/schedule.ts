// The schedule of the application in which the console is mounted.

import type { ModuleRef } from '@nestjs/core';
import { ConsoleRejection } from '../http/exchange.js';
import type { ConsoleSchedule } from '../source.js';

export class ScheduleFinder {
  private found: ConsoleSchedule | undefined;

  /** @throws TypeError for what is no function */
  constructor(private readonly find: (app: ModuleRef) => ConsoleSchedule | Promise<ConsoleSchedule>) {
    if (typeof find !== 'function') throw new TypeError('option schedule of the console must be a function');
  }

  /** When all providers are there. @throws the error of Nest for one that is not; TypeError for what is no schedule */
  async start(app: ModuleRef): Promise<void> {
    const found: Partial<ConsoleSchedule> | undefined = await this.find(app);
    if (typeof found?.schedule?.pending !== 'function' || typeof found.database?.transaction !== 'function')
      throw new TypeError('option schedule of the console must return { schedule, database }');
    this.found = found as ConsoleSchedule;
  }

  /** @throws ConsoleRejection before the application has started */
  readonly get = (): ConsoleSchedule => {
    if (this.found !== undefined) return this.found;
    throw new ConsoleRejection(503, 'STARTING', 'the application has not started yet; nothing was changed; try again');
  };
}
