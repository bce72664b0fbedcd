// A consumer group that is paused on its brokers: how they reject deliveries, and the note about it that name servers keep.

import { isIntegerFrom } from '../../support/options.js';

/** Why a consumer group is paused, as whoever has paused it stated. */
export interface GroupPause {
  /** Undefined, like the other two, when another tool has paused the group, and where nobody can be asked. */
  readonly reason: string | undefined;
  readonly by: string | undefined;
  /** Milliseconds since the epoch, by the clock of the machine that has paused it. */
  readonly sinceMs: number | undefined;
}

export const UNEXPLAINED_PAUSE: GroupPause = { reason: undefined, by: undefined, sinceMs: undefined };

/** The namespace of these notes at a name server; the key is the name of the group. */
export const PAUSE_NOTES = 'NESTJS_ROCKETMQ_PAUSED_GROUPS';

/** More than anybody reads. */
export const MAX_PAUSE_REASON = 500;
export const MAX_PAUSED_BY = 100;

/** The beginning of what brokers answer to polls of a group with `consumeEnable=false`, 4.9.7 as 5.5.0. @see PullMessageProcessor, PopMessageProcessor of the server */
const REJECTION = 'subscription group no permission';

export function pauseRejection(group: string): string {
  return `${REJECTION}, ${group}`;
}

/** Whether a server delivers nothing because the group is paused. A proxy gives no other sign of it than these words. */
export function isPauseRejection(message: string): boolean {
  return message.includes(REJECTION);
}

/** In ASCII, since a name server stores it in the charset of its system. */
export function pauseNote(pause: GroupPause): string {
  const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(pause).replace(/[^ -~]/g, escaped);
}

/** What a name server keeps; anybody can write there. */
export function readPauseNote(text: string | undefined): GroupPause {
  try {
    const { reason, by, sinceMs } = Object(JSON.parse(text ?? '')) as Record<string, unknown>;
    return {
      reason: typeof reason === 'string' ? reason.slice(0, MAX_PAUSE_REASON) : undefined,
      by: typeof by === 'string' ? by.slice(0, MAX_PAUSED_BY) : undefined,
      sinceMs: isIntegerFrom(sinceMs, 0) ? sinceMs : undefined,
    };
  } catch {
    return UNEXPLAINED_PAUSE;
  }
}
