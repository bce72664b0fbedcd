// A one-way send: what its caller gets, and how its failures are reported.

import { describeError, type Logger } from '../support/logger.js';
import { callWatcher } from '../support/watchers.js';
import type { ProducerEvents } from './producer-events.js';

/** A one-way send in progress. */
interface OnewaySend {
  /** Resolves when the producer has accepted the message; rejects when it was rejected before that. */
  readonly accepted: Promise<void>;
  /** Resolves when the send has ended. Never rejects, because no caller waits for it. */
  readonly ended: Promise<void>;
}

/** Where failures are reported. */
interface OnewayWatchers {
  readonly logger: Logger;
  readonly events: Partial<ProducerEvents> | undefined;
}

/** Starts a send. @param send calls `onAdmitted` once the producer has accepted the message */
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
      (error: unknown) => (isAccepted ? reportFailure(message, error, watchers) : reject(error)),
    );
  });
  return { accepted, ended };
}

function reportFailure(
  { topic, messageId }: { readonly topic: string; readonly messageId: string },
  error: unknown,
  { logger, events }: OnewayWatchers,
): void {
  logger.warn('a one-way send failed', { topic, messageId, error: describeError(error) });
  callWatcher(logger, 'one-way sends', () => events?.onOnewayFailed?.({ topic, messageId }, error));
}
