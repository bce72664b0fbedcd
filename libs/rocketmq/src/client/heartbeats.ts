// Whether the servers of a client are alive: heartbeats to all of them, and probes of those that failed, which are avoided until one
// succeeds.

import { Code, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { SECOND_MS } from '../support/clock.js';
import { describeError, type Logger } from '../support/logger.js';
import { type Endpoint, endpointKey } from './endpoint.js';
import type { Isolation } from './isolation.js';
import type { PeriodicWork } from './periodic-work.js';
import type { Sessions } from './sessions.js';
import type { TelemetrySession } from './telemetry-session.js';

/** What heartbeats need of their client. */
interface HeartbeatPort {
  readonly logger: Logger;
  readonly background: PeriodicWork;
  readonly sessions: Sessions;
  readonly isolation: Isolation;
  /** The session of an endpoint; opened at first use. */
  session(endpoint: Endpoint): TelemetrySession;
  /** Sends one heartbeat. @returns the status in its answer */
  send(endpoint: Endpoint): Promise<Status | undefined>;
  /** Sends the settings again. */
  sync(session: TelemetrySession): Promise<void>;
}

const HEARTBEAT_MS = 10 * SECOND_MS;
/** How often a server that failed is probed. More often than the heartbeat, because other servers carry its load meanwhile. */
const PROBE_MS = SECOND_MS;

export class Heartbeats {
  private isProbing = false;

  constructor(private readonly port: HeartbeatPort) {}

  start(): void {
    this.port.background.every('heartbeat', HEARTBEAT_MS, () => this.beat());
  }

  /** Marks an endpoint as failed, until a heartbeat succeeds or it rejoins. */
  isolate(endpoint: Endpoint): void {
    if (!this.port.isolation.add(endpoint)) return;
    this.port.logger.warn('a server failed; other servers are preferred until it recovers', {
      endpoint: endpointKey(endpoint),
    });
    if (this.isProbing) return;
    this.isProbing = true;
    this.port.background.every('probe of isolated servers', PROBE_MS, () => this.probe());
  }

  /** Ends the isolation of an endpoint that has recovered. */
  rejoin(endpoint: Endpoint): void {
    if (!this.port.isolation.remove(endpoint)) return;
    this.port.logger.info('a server that failed has recovered', { endpoint: endpointKey(endpoint) });
  }

  private async beat(): Promise<void> {
    await Promise.all(
      this.port.sessions.list().map(({ endpoint, session }) =>
        this.sendHeartbeat(endpoint, session).catch((error) => {
          this.port.logger.debug('heartbeat failed', { endpoint: endpointKey(endpoint), error: describeError(error) });
        }),
      ),
    );
  }

  private async probe(): Promise<'done' | undefined> {
    // An endpoint whose session is lost leaves the isolation with its next answer to the settings.
    await Promise.allSettled(
      this.port.isolation.list().map((endpoint) => this.sendHeartbeat(endpoint, this.port.session(endpoint))),
    );
    if (this.port.isolation.list().length > 0) return undefined;
    this.isProbing = false;
    return 'done';
  }

  private async sendHeartbeat(endpoint: Endpoint, session: TelemetrySession): Promise<void> {
    if (!session.isSynced) return;
    const status = await this.port.send(endpoint);
    if (status?.code === Code.OK) this.rejoin(endpoint);
    // The server has lost the settings: send them again before it rejects other requests.
    if (status?.code === Code.UNRECOGNIZED_CLIENT_TYPE) await this.port.sync(session);
  }
}
