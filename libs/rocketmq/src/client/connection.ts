// What the clients of one cluster share: its endpoints, credentials and channels. Roles and their ids are in client.ts.

import { hostname } from 'node:os';
import { authorization, type Credentials, dateTimeText, METADATA } from '../protocol/metadata.js';
import { type Clock, SystemClock } from '../support/clock.js';
import { realTimeIn } from '../support/deadline.js';
import { StateError, UsageError } from '../support/errors.js';
import { type Logger, silentLogger } from '../support/logger.js';
import { type Random, systemRandom } from '../support/random.js';
import type { Channel, ChannelFactory } from './channel.js';
import { type Address, type Endpoint, endpointKey, parseEndpoints } from './endpoint.js';
import { EndpointChannel } from './endpoint-channel.js';
import { GrpcChannel } from './grpc-channel.js';
import type { AddressRules } from './route.js';

/** The server compares this text with "5.0.3" to choose between codes; it names the official client whose ways ours keeps. */
const PROTOCOL_CLIENT_VERSION = '5.0.8';

const DEFAULT_REQUEST_TIMEOUT_MS = 3_000;

/** How to reach a cluster. */
export interface ConnectionOptions {
  /** Addresses of the cluster's gRPC proxies: `host:8081;host2:8081`. */
  readonly endpoints: string;
  /** Default: none. The open-source server does not separate topics by it. */
  readonly namespace?: string;
  /** Needed when the server checks access (ACL). Default: none. */
  readonly credentials?: Credentials;
  /** How long one request may take unless the call says otherwise. Default 3000. */
  readonly requestTimeoutMs?: number;
  /** Send everything to `endpoints`, whatever addresses the server advertises (NAT, Docker, port forwards). Default false. */
  readonly useBootstrapEndpoints?: boolean;
  /** Translates each address that the server advertises into one that is reachable from here. */
  readonly addressMapping?: (address: Address) => Address;
  /** Default: drops everything. Never closed. */
  readonly logger?: Logger;
  /** Business time (delays, leases, backoffs). Default: the machine's. Give a test broker's clock to move it in tests. */
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A connection to one RocketMQ cluster, to be shared by any number of producers and consumers. Connects at first use. */
export class Connection {
  readonly bootstrap: Endpoint;
  readonly namespace: string;
  readonly requestTimeoutMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly addressRules: AddressRules;
  private readonly credentials: Credentials | undefined;
  private readonly channels = new Map<string, Channel>();
  private readonly openChannel: ChannelFactory = (address) => new GrpcChannel(address);
  private clientCount = 0;
  private closed = false;

  /** @throws UsageError that names the option; nothing is connected yet */
  constructor(options: ConnectionOptions) {
    this.bootstrap = parseEndpoints(options.endpoints);
    this.namespace = options.namespace ?? '';
    this.requestTimeoutMs = positive('requestTimeoutMs', options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS);
    this.credentials = options.credentials;
    this.logger = options.logger ?? silentLogger;
    this.clock = options.clock ?? new SystemClock();
    this.random = options.random ?? systemRandom;
    this.addressRules = {
      useBootstrapEndpoints: options.useBootstrapEndpoints ?? false,
      addressMapping: options.addressMapping,
      bootstrap: this.bootstrap,
    };
  }

  /** A new client id. The server keys a client's settings by it, so each producer and each consumer takes its own. */
  newClientId(): string {
    const unique = BigInt(`0x${this.random.bytes(8).toString('hex')}`).toString(36);
    return `${hostname()}@${process.pid}@${this.clientCount++}@${unique}`;
  }

  /** The one channel to an endpoint. */
  channel(endpoint: Endpoint): Channel {
    if (this.closed) throw new StateError('CLOSED', 'the connection is closed; nothing was sent');
    const key = endpointKey(endpoint);
    let channel = this.channels.get(key);
    if (channel === undefined) {
      channel = new EndpointChannel(endpoint, this.openChannel);
      this.channels.set(key, channel);
    }
    return channel;
  }

  /** The metadata of one request of a client. */
  metadata(clientId: string): Record<string, string> {
    // The signed time is real: the server may compare it with its own clock.
    const dateTime = dateTimeText(realTimeIn(0).getTime());
    const metadata: Record<string, string> = {
      [METADATA.clientId]: clientId,
      [METADATA.language]: 'NODE_JS',
      [METADATA.protocol]: 'v2',
      [METADATA.clientVersion]: PROTOCOL_CLIENT_VERSION,
      [METADATA.dateTime]: dateTime,
      [METADATA.requestId]: this.random.uuid(),
      [METADATA.namespace]: this.namespace,
    };
    const { credentials } = this;
    if (credentials !== undefined) metadata[METADATA.authorization] = authorization(credentials, dateTime);
    if (credentials?.sessionToken !== undefined) metadata[METADATA.sessionToken] = credentials.sessionToken;
    return metadata;
  }

  /** Closes all channels. Close producers and consumers first: their calls under way fail. Repeating it does nothing. */
  close(): void {
    this.closed = true;
    for (const channel of this.channels.values()) channel.close();
    this.channels.clear();
  }
}

/** @throws UsageError unless the option is a number above 0 */
export function positive(field: string, value: number): number {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new UsageError('ILLEGAL_OPTION', `option ${field} must be a number above 0, not ${String(value)}`, field);
}
