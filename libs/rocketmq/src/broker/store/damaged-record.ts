// A record whose bytes are not those that were written. Reading it throws this error and does not change the record.

import { StateError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import type { Key, Store } from './store.js';

/** `DATA_DAMAGED`: the record on disk was changed, or is missing. */
export class DamagedRecord extends StateError {
  /**
   * @param what names the record: "message of topic …"
   * @param why "its checksum is wrong"
   */
  constructor(what: string, why: string) {
    const state = 'it is not delivered, and nothing was changed';
    const advice = 'restore a copy of the folder; to skip a message, move the group past it with "rewind"';
    super('DATA_DAMAGED', `${what} cannot be read, ${why}: ${state}; ${advice}`);
  }
}

/** The maximum number of damaged records that are logged. */
const MAX_LOGGED = 1_000;

/** Logs each damaged record once, although each receive finds it again. */
export class DamageLog {
  private readonly logged = new Set<string>();

  constructor(private readonly logger: Logger) {}

  /** Bound, so that it can be passed as a callback. */
  readonly add = ({ message }: DamagedRecord): void => {
    if (this.logged.has(message) || this.logged.size >= MAX_LOGGED) return;
    this.logged.add(message);
    this.logger.error(message);
  };
}

/** Reads a value for display; returns undefined also for one that cannot be read. */
export function peek(store: Store, key: Key): unknown {
  try {
    return store.get(key);
  } catch (error) {
    if (error instanceof DamagedRecord) return undefined;
    throw error;
  }
}
