// A send that nobody waits for: what its caller is told, and what those who watch.

import { describeError, type Logger } from '../support/logger.js';
import { callWatcher } from '../support/watchers.js';
import type { ProducerEvents } from './producer-events.js';

/** A one-way send under way. */
export interface OnewaySend {
  /** Resolves when the message is on its way; rejects when it was refused before. */
  readonly accepted: Promise<void>;
  /** Never rejects: who handed the message over has gone. */
  readonly ended: Promise<void>;
}

/** Whom to tell of a failure. */
export interface OnewayWatchers {
  readonly logger: Logger;
  readonly events: Partial<ProducerEvents> | undefined;
}

/** Begins a send. @param send calls `onAdmitted` once the message is on its way */
export function onewaySend(
  message: { readonly topic: string; readonly messageId: string },
  watchers: OnewayWatchers,
  send: (onAdmitted: () => void) => Promise<unknown>,
): OnewaySend {
  let ended: Promise<void> = Promise.resolve();
  const accepted = new Promise<void>((resolve, reject) => {
    let isAccepted = false;
    const onAdmitted = (): void => {
      isAccepted = true;
      resolve();
    };
    ended = send(onAdmitted).then(
      () => {},
      (error: unknown) => (isAccepted ? tellFailed(message, error, watchers) : reject(error)),
    );
  });
  return { accepted, ended };
}

function tellFailed(
  { topic, messageId }: { readonly topic: string; readonly messageId: string },
  error: unknown,
  { logger, events }: OnewayWatchers,
): void {
  logger.warn('a one-way send failed', { topic, messageId, error: describeError(error) });
  callWatcher(logger, 'one-way sends', () => events?.onOnewayFailed?.({ topic, messageId }, error));
}
