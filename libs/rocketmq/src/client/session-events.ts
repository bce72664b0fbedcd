// What a client tells those who watch of its sessions with servers, and how they stand.

import type { Logger } from '../support/logger.js';
import { callWatcher } from '../support/watchers.js';
import type { SessionChange, SessionStatus } from './telemetry-session.js';

/** Which client of an application. */
export interface ClientIdentity {
  readonly role: 'producer' | 'consumer';
  readonly clientId: string;
  /** Of a consumer. */
  readonly consumerGroup: string | undefined;
}

/** Comes and goes of servers, of each client for itself. What a watcher throws is logged and changes nothing. */
export interface SessionEvents {
  /** A server (`host:port`) knows the client now, for the first time. */
  onConnected(client: ClientIdentity, endpoint: string): void;
  /** A server that knew the client is away, or refuses it now; it is tried again until the end. */
  onLost(client: ClientIdentity, endpoint: string, error: unknown): void;
  /** A server that was lost knows the client again. */
  onRecovered(client: ClientIdentity, endpoint: string): void;
}

/** How the session with one server stands. */
export interface SessionHealth {
  /** `host:port`. */
  readonly endpoint: string;
  readonly status: SessionStatus;
  /** Why it is `away` or `refused`. */
  readonly error: string | undefined;
}

/** Tells a watcher. */
export function tellOfSession(
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
