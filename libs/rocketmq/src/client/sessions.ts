// The telemetry sessions of one client, one for each server that it talks to. What happens on one of them is in
// telemetry-session.ts.

import { type Deadline, withDeadline } from '../support/deadline.js';
import type { Logger } from '../support/logger.js';
import { type Endpoint, endpointKey } from './endpoint.js';
import type { TelemetrySession } from './telemetry-session.js';

/** A session and where it leads. */
export interface OpenSession {
  readonly endpoint: Endpoint;
  readonly session: TelemetrySession;
}

/** Opens sessions at first use, and leaves those whose servers are gone. */
export class Sessions {
  private readonly open = new Map<string, OpenSession>();

  /** @param make a session of this client, not started */
  constructor(
    private readonly logger: Logger,
    private readonly make: (endpoint: Endpoint) => TelemetrySession,
  ) {}

  /** The session of an endpoint. */
  to(endpoint: Endpoint): TelemetrySession {
    const key = endpointKey(endpoint);
    const known = this.open.get(key);
    if (known !== undefined) return known.session;
    const session = this.make(endpoint);
    this.open.set(key, { endpoint, session });
    session.start();
    return session;
  }

  /** Those that are open now. */
  list(): OpenSession[] {
    return [...this.open.values()];
  }

  /** Leaves every stream for a new one, signed with the credentials of now. */
  reopen(): void {
    for (const { session } of this.open.values()) session.reopen();
  }

  /**
   * Waits until the settings are known everywhere. A server that is away while another is there is waited for no longer than an
   * attempt may take: it is told the settings when it is back.
   * @throws the first refusal; when every server is away, the last failure once the deadline has passed
   */
  async synced(deadline: Deadline, attemptMs: number): Promise<void> {
    const sessions = this.list().map(({ session }) => session);
    if (sessions.length === 0) return;
    const tried = await withDeadline('settings', attemptMs, deadline.signal, ({ signal }) =>
      Promise.all(sessions.map((session) => session.tried(signal))),
    );
    if (tried.includes(true)) return;
    await Promise.any(sessions.map((session) => session.synced(deadline.signal))).catch((error: AggregateError) => {
      throw error.errors[0];
    });
  }

  /**
   * Makes changed settings known everywhere; resolves when every server has answered. One that is away while another is there is
   * not waited for: it is told the present settings first of all when it is back.
   */
  async sync(deadline: Deadline): Promise<void> {
    const sessions = this.list().map(({ session }) => session);
    const isAnySynced = sessions.some(({ isSynced }) => isSynced);
    const asked = isAnySynced ? sessions.filter(({ isAway }) => !isAway) : sessions;
    await Promise.all(asked.map((session) => session.sync(deadline.signal)));
  }

  /**
   * Ends the sessions of servers that are away and no longer needed: they may never come back.
   * @returns the endpoints that were left
   */
  async leaveGone(needed: readonly Endpoint[]): Promise<Endpoint[]> {
    const inUse = new Set(needed.map(endpointKey));
    const gone = [...this.open].filter(([key, { session }]) => session.isAway && !inUse.has(key));
    await Promise.all(
      gone.map(([key, { session }]) => {
        this.logger.info('a server that is away is in no route any more; it is left', { endpoint: key });
        this.open.delete(key);
        return session.close();
      }),
    );
    return gone.map(([, { endpoint }]) => endpoint);
  }
}
