// The clients of the broker: settings and telemetry stream by client id, independent of connections.

import {
  ClientType,
  Code,
  type Publishing,
  type Settings,
  type Subscription,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import type { Clock, ScheduledTask } from '../../support/clock.js';
import { ClientCommands } from './client-commands.js';
import { AnswerError } from './status.js';

/** A client that is silent for this long is disconnected (`channelExpiredTimeout`). Real time. */
const SESSION_EXPIRY_MS = 120_000;

/** Writes to the client's open telemetry stream. */
export type Push = (command: TelemetryCommand) => void;

/** A client that has sent its settings. */
export interface ClientSession {
  readonly clientId: string;
  readonly settings: Settings;
  readonly push: Push | undefined;
  readonly seenAtMs: number;
  readonly origin: ClientOrigin;
}

/** The origin of a client, for tools. */
export interface ClientOrigin {
  /** The name of a language in the remoting protocol, for instance `NODE_JS`. */
  readonly language: string;
  /** `host:port` of the connection by which it sent its settings. */
  readonly address: string;
  /** The access key of the user who owns the session; undefined on a broker without users. */
  readonly user?: string | undefined;
}

const UNKNOWN_ORIGIN: ClientOrigin = { language: 'OTHER', address: '' };

/** The connected clients. */
export class Sessions {
  private readonly sessions = new Map<string, ClientSession>();
  /** For each client without a stream, the timer that checks whether it is still active. */
  private readonly looks = new Map<string, ScheduledTask>();
  private onGone: (session: ClientSession) => void = () => {};
  private turn = 0;

  /** Commands of operators to clients. */
  readonly commands: ClientCommands;

  constructor(private readonly realClock: Clock) {
    this.commands = new ClientCommands(realClock);
  }

  /** Sets the callback for a client that was silent for too long. It is not called for one that terminated. */
  whenGone(onGone: (session: ClientSession) => void): void {
    this.onGone = onGone;
  }

  /** Clears its timers. Clients stay known; silent ones are detected on access. */
  close(): void {
    for (const look of this.looks.values()) look.cancel();
    this.looks.clear();
    this.commands.close();
  }

  /** Stores the settings of a client; commands are pushed to its newest stream. */
  register(clientId: string, settings: Settings, push: Push, origin: ClientOrigin = UNKNOWN_ORIGIN): void {
    // Deleted first, to keep the clients in the order in which they sent their settings.
    this.sessions.delete(clientId);
    this.sessions.set(clientId, { clientId, settings, push, seenAtMs: this.realClock.nowMs(), origin });
  }

  /** The session; undefined for a client that never sent settings or was silent for too long. */
  find(clientId: string): ClientSession | undefined {
    const session = this.sessions.get(clientId);
    return session !== undefined && this.isAlive(session) ? session : undefined;
  }

  /** All connected clients. */
  all(): ClientSession[] {
    return [...this.sessions.values()].filter((session) => this.isAlive(session));
  }

  /** The consumers of a group; the one that sent its settings last is the last. */
  consumersOf(group: string): ClientSession[] {
    return [...this.sessions.values()].filter(
      (session) => this.isAlive(session) && isConsumer(session) && subscriptionOf(session)?.group?.name === group,
    );
  }

  /** @throws AnswerError UNRECOGNIZED_CLIENT_TYPE */
  require(clientId: string): ClientSession {
    const session = this.find(clientId);
    if (session === undefined) {
      throw new AnswerError(Code.UNRECOGNIZED_CLIENT_TYPE, 'cannot find client settings for this client');
    }
    return session;
  }

  heartbeat(session: ClientSession): void {
    this.sessions.set(session.clientId, { ...session, seenAtMs: this.realClock.nowMs() });
  }

  remove(clientId: string): void {
    this.sessions.delete(clientId);
  }

  /** Removes all clients. */
  clear(): void {
    this.sessions.clear();
  }

  /** A stream has ended. The settings stay, as on the real server. @returns whether it was the newest one of its client */
  streamEnded(clientId: string, push: Push): boolean {
    const session = this.sessions.get(clientId);
    if (session?.push !== push) return false;
    this.sessions.set(clientId, { ...session, push: undefined, seenAtMs: this.realClock.nowMs() });
    this.lookAt(clientId, SESSION_EXPIRY_MS);
    return true;
  }

  /** The next producer (round-robin) that lists the topic and has an open stream. */
  nextProducerOf(topic: string): ClientSession | undefined {
    const producers = [...this.sessions.values()].filter(
      (session) => session.push !== undefined && publishingOf(session)?.topics.some(({ name }) => name === topic),
    );
    return producers[this.turn++ % Math.max(1, producers.length)];
  }

  private isAlive({ push, seenAtMs }: ClientSession): boolean {
    return push !== undefined || this.realClock.nowMs() - seenAtMs < SESSION_EXPIRY_MS;
  }

  private lookAt(clientId: string, inMs: number): void {
    this.looks.get(clientId)?.cancel();
    this.looks.set(
      clientId,
      this.realClock.schedule(inMs, () => this.look(clientId)),
    );
  }

  private look(clientId: string): void {
    this.looks.delete(clientId);
    const session = this.sessions.get(clientId);
    if (session === undefined || session.push !== undefined) return;
    if (this.isAlive(session)) {
      this.lookAt(clientId, session.seenAtMs + SESSION_EXPIRY_MS - this.realClock.nowMs());
      return;
    }
    this.sessions.delete(clientId);
    this.onGone(session);
  }
}

export function publishingOf({ settings }: Pick<ClientSession, 'settings'>): Publishing | undefined {
  return settings.pubSub?.$case === 'publishing' ? settings.pubSub.value : undefined;
}

export function subscriptionOf({ settings }: Pick<ClientSession, 'settings'>): Subscription | undefined {
  return settings.pubSub?.$case === 'subscription' ? settings.pubSub.value : undefined;
}

/** Whether settings of this type belong to a consumer group. */
export function isConsumer({ settings }: Pick<ClientSession, 'settings'>): boolean {
  const { clientType } = settings;
  return (
    clientType === ClientType.PUSH_CONSUMER || clientType === ClientType.SIMPLE_CONSUMER || isLiteConsumer({ settings })
  );
}

/** Whether settings of this type belong to a consumer of lite topics. */
export function isLiteConsumer({ settings }: Pick<ClientSession, 'settings'>): boolean {
  return settings.clientType === ClientType.LITE_PUSH_CONSUMER;
}
