// A message that a consumer of the remoting protocol sends back: a copy, for another attempt of its group or for the dead letters.

import { DEAD_LETTER_PREFIX, RETRY_PREFIX } from '../../protocol/model/names.js';
import type { StoredMessage } from '../store/records.js';
import type { Changes } from './changes.js';
import type { Destinations } from './send.js';

/** A copy to store. */
export interface SendBackRequest {
  readonly group: string;
  /** The topic that the message was sent to. */
  readonly topic: string;
  readonly copy: StoredMessage;
  /** When the group receives it again; undefined for a dead letter. */
  readonly dueAtMs: number | undefined;
  readonly nowMs: number;
}

export function sendBack(
  changes: Changes,
  { registry, log, delayed }: Pick<Destinations, 'registry' | 'log' | 'delayed'>,
  { group, topic, copy, dueAtMs, nowMs }: SendBackRequest,
): void {
  if (dueAtMs === undefined) {
    log.append(changes, registry.systemTopic(changes, DEAD_LETTER_PREFIX + group), 0, copy);
    changes.markDeadLetter(topic, group);
    return;
  }
  const retries = registry.systemTopic(changes, RETRY_PREFIX + group);
  if (dueAtMs > nowMs) delayed.add(changes, retries, copy, dueAtMs);
  else log.append(changes, retries, 0, copy);
}
