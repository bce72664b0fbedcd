// The telemetry sessions of one client, one for each server that it talks to. A single session is in telemetry-session.ts.

import type { AnnouncedCapabilities } from '../protocol/grpc/session-message.js';
import { type Deadline, withDeadline } from '../support/deadline.js';
import { describeError, type Logger } from '../support/logger.js';
import { type Endpoint, endpointKey } from './endpoint.js';
import type { SessionHealth } from './session-events.js';
import type { TelemetrySession } from './telemetry-session.js';

/** A session and its endpoint. */
interface OpenSession {
  readonly endpoint: Endpoint;
  readonly session: TelemetrySession;
}

/** Opens sessions at first use, and closes those whose servers are gone. */
export class Sessions {
  private readonly open = new Map<string, OpenSession>();

  /** @param make creates a session of this client, not started */
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

  /** The open sessions. */
  list(): OpenSession[] {
    return [...this.open.values()];
  }

  /** The status of each. */
  health(): SessionHealth[] {
    return this.list().map(({ endpoint, session: { status, error } }) => {
      return { endpoint: endpointKey(endpoint), status, error: error === undefined ? undefined : describeError(error) };
    });
  }

  /** Whether this server can do it, or all that have answered the settings; false before the first answer. */
  announce(capability: keyof AnnouncedCapabilities, server?: Endpoint): boolean {
    const key = server && endpointKey(server);
    const asked = this.list().filter(({ endpoint }) => key === undefined || endpointKey(endpoint) === key);
    const known = asked.flatMap(({ session }) => session.announced ?? []);
    return known.length > 0 && known.every((announced) => announced[capability]);
  }

  /** Replaces every stream by a new one, signed with the current credentials. */
  reopen(): void {
    for (const { session } of this.open.values()) session.reopen();
  }

  /**
   * Waits until all servers have the settings. An unavailable server is waited for no longer than one attempt while another is
   * available: it receives the settings when it is back.
   * @throws the first rejection; when every server is unavailable, the last failure once the deadline has passed
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
   * Sends changed settings to all servers; resolves when every one has answered. An unavailable server is not waited for while another
   * is available: it receives the current settings first when it is back.
   */
  async sync(deadline: Deadline): Promise<void> {
    const sessions = this.list().map(({ session }) => session);
    const isAnySynced = sessions.some(({ isSynced }) => isSynced);
    const asked = isAnySynced ? sessions.filter(({ isAway }) => !isAway) : sessions;
    await Promise.all(asked.map((session) => session.sync(deadline.signal)));
  }

  /**
   * Closes the sessions of servers that are unavailable and no longer needed: they may never come back.
   * @returns the endpoints of the closed sessions
   */
  async leaveGone(needed: readonly Endpoint[]): Promise<Endpoint[]> {
    const inUse = new Set(needed.map(endpointKey));
    const gone = [...this.open].filter(([key, { session }]) => session.isAway && !inUse.has(key));
    await Promise.all(
      gone.map(([key, { session }]) => {
        this.logger.info('an unavailable server is no longer in any route; its session is closed', { endpoint: key });
        this.open.delete(key);
        return session.close();
      }),
    );
    return gone.map(([, { endpoint }]) => endpoint);
  }
}
