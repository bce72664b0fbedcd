// A record that differs from what was written. Reading it throws this error; the record stays unchanged.

import { StateError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import type { Key, Store } from './store.js';

/** `DATA_DAMAGED`: the disk has something else than was written, or nothing. */
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

/** So many damaged records are logged; where there are more, the first ones say enough. */
const MOST_LOGGED = 1_000;

/** Logs each damaged record once: it is met again at each receive. */
export class DamageLog {
  private readonly logged = new Set<string>();

  constructor(private readonly logger: Logger) {}

  /** May be handed on by itself. */
  readonly add = ({ message }: DamagedRecord): void => {
    if (this.logged.has(message) || this.logged.size >= MOST_LOGGED) return;
    this.logged.add(message);
    this.logger.error(message);
  };
}

/** The value of a key for who only looks; undefined also for one that cannot be read. */
export function peek(store: Store, key: Key): unknown {
  try {
    return store.get(key);
  } catch (error) {
    if (error instanceof DamagedRecord) return undefined;
    throw error;
  }
}
