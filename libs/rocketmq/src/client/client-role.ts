// The port between a client and its role, and the settings of both.

import { hostname } from 'node:os';
import { toDuration } from '../protocol/grpc/duration.js';
import { type ClientType, Language, type Settings } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Consumption } from '../protocol/model/consumption.js';
import type { Connection } from './connection.js';
import { type Endpoint, toWireEndpoints } from './endpoint.js';
import type { ServerCommand } from './server-commands.js';
import type { SessionEvents } from './session-events.js';

/** What a role adds to the shared client. */
export interface ClientRole {
  readonly type:
    | ClientType.PRODUCER
    | ClientType.PUSH_CONSUMER
    | ClientType.SIMPLE_CONSUMER
    | ClientType.LITE_PUSH_CONSUMER;
  /** Present for consumers. */
  readonly consumerGroup?: string;
  /** How a consumer receives without a proxy. Default `pop`. */
  readonly consumption?: Consumption | undefined;
  /** The role's part of the settings for one server, built at each sync. */
  settings(endpoint: Endpoint): Pick<Settings, 'pubSub' | 'backoffPolicy'>;
  /**
   * Called with each answer of a server to the settings. It may reject it by an error, as a server rejects settings.
   * @returns whether there is something new to announce to this server
   */
  onSettings(settings: Settings, endpoint: Endpoint): boolean;
  /** Called when a server is gone for good. Default: nothing. */
  onGone?(endpoint: Endpoint): void;
  /** Handles a command received over the session of this endpoint; false for an unknown command. */
  onCommand(command: ServerCommand, endpoint: Endpoint): boolean;
  /** What it is doing, for an operator: a line for each fact, without bodies, keys and properties of messages. Default: nothing. */
  report?(): readonly string[];
  /** Event handlers for the sessions. Default: none. */
  readonly events?: Partial<SessionEvents>;
}

/** What a client announces to a server. */
export function settingsOf(
  role: ClientRole,
  { bootstrap, requestTimeoutMs }: Connection,
  endpoint: Endpoint,
): Settings {
  return {
    clientType: role.type,
    accessPoint: toWireEndpoints(bootstrap),
    requestTimeout: toDuration(requestTimeoutMs),
    userAgent: {
      language: Language.NODE_JS,
      version: process.version,
      platform: process.platform,
      hostname: hostname(),
    },
    clientProperties: {},
    ...role.settings(endpoint),
  };
}
