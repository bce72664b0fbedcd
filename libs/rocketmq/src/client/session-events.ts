// The events and the status of a client's sessions with servers.

import type { Logger } from '../support/logger.js';
import { callWatcher } from '../support/watchers.js';

/** Identifies a client of an application. */
export interface ClientIdentity {
  readonly role: 'producer' | 'consumer';
  readonly clientId: string;
  /** For a consumer. */
  readonly consumerGroup: string | undefined;
}

/** Connection events, for each client and server. Errors that a handler throws are logged and have no other effect. */
export interface SessionEvents {
  /** The session with a server (`host:port`) was established for the first time. */
  onConnected(client: ClientIdentity, endpoint: string): void;
  /** An established session was lost, or the server rejects it now; the client reconnects until it is closed. */
  onLost(client: ClientIdentity, endpoint: string, error: unknown): void;
  /** A lost session was established again. */
  onRecovered(client: ClientIdentity, endpoint: string): void;
}

/** An event of a session. A failed first attempt is not a loss. */
export type SessionChange =
  | { readonly kind: 'connected' | 'recovered' }
  | { readonly kind: 'lost'; readonly error: unknown };

/**
 * The status of a session.
 * - `ready`: the server has the client's settings
 * - `connecting`: the settings are being sent
 * - `away`: the server cannot be reached; the client keeps retrying
 * - `rejected`: the server rejects the settings; the client keeps retrying
 * - `closed`
 */
export type SessionStatus = 'ready' | 'connecting' | 'away' | 'rejected' | 'closed';

/** The status of the session with one server. */
export interface SessionHealth {
  /** `host:port`. */
  readonly endpoint: string;
  readonly status: SessionStatus;
  /** Why it is `away` or `rejected`. */
  readonly error: string | undefined;
}

/** Calls the event handler. */
export function notifyOfSession(
  events: Partial<SessionEvents>,
  client: ClientIdentity,
  { endpoint, change, logger }: { readonly endpoint: string; readonly change: SessionChange; readonly logger: Logger },
): void {
  callWatcher(logger, 'sessions', () => {
    if (change.kind === 'lost') return events.onLost?.(client, endpoint, change.error);
    if (change.kind === 'recovered') return events.onRecovered?.(client, endpoint);
    return events.onConnected?.(client, endpoint);
  });
}
