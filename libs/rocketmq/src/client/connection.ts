// What the clients of one cluster share: endpoints, credentials and channels. Roles and their ids are in client.ts.

import { hostname } from 'node:os';
import { CredentialsSource } from '../protocol/credentials/credentials.js';
import { METADATA, Signer } from '../protocol/credentials/metadata.js';
import type { Consumption } from '../protocol/model/consumption.js';
import { type CheckpointHook, checkpointsOf } from '../support/checkpoints.js';
import { type Clock, SystemClock } from '../support/clock.js';
import { type ClusterCommand, commandLine, UNKNOWN_NAME_SERVER } from '../support/command-line.js';
import { monotonicMs, realTimeIn } from '../support/deadline.js';
import { StateError } from '../support/errors.js';
import { type Logger, silentLogger, unfailing } from '../support/logger.js';
import { type Random, systemRandom } from '../support/random.js';
import { type ResolvedTls, resolveTls } from '../support/tls.js';
import { Calls } from './calls.js';
import {
  EMBEDDED_CAPABILITIES,
  GATEWAY_CAPABILITIES,
  MIN_CAPABILITIES,
  type ServerCapabilities,
} from './capabilities.js';
import type { Channel, ChannelFactory } from './channel.js';
import {
  assertConnectionOptions,
  type ConnectionOptions,
  layoutsIn,
  type Transport,
  tlsOf,
} from './connection-options.js';
import {
  type Address,
  addressText,
  areNameServers,
  type Endpoint,
  endpointKey,
  isAddress,
  parseAddress,
  parseEndpoints,
} from './endpoint.js';
import { EndpointChannel } from './endpoint-channel.js';
import { GatewayCalls } from './gateway-calls.js';
import { Layouts } from './layouts.js';
import type { AddressRules } from './route.js';
import type { ServerCalls } from './server-calls.js';
import { Http2Channel } from './wire/http2-channel.js';
import { LazyChannel } from './wire/lazy-channel.js';

/** The server compares this string with "5.0.3" to choose between codes; it is the version of the official client that is emulated. */
const PROTOCOL_CLIENT_VERSION = '5.0.8';

const DEFAULT_REQUEST_TIMEOUT_MS = 3_000;

const UNCHECKED =
  "the server's certificate is not verified (tls.dangerouslyAcceptAnyCertificate): anyone on the network path can read and alter the traffic";

/** Whether the server is in this process, and then whether what it stores outlives it. */
type ServerPlace = 'elsewhere' | 'memory' | 'folder';

/** A connection to one RocketMQ cluster, shared by any number of producers and consumers. Connects at first use. */
export class Connection {
  readonly bootstrap: Endpoint;
  readonly namespace: string;
  readonly requestTimeoutMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** For crash tests. @internal */
  readonly checkpoint: CheckpointHook | undefined;
  readonly addressRules: AddressRules;
  /** @internal */
  readonly layouts: Layouts;
  /** The credentials that requests are signed with. */
  readonly credentials: CredentialsSource;
  private readonly signer = new Signer();
  private readonly tls: ResolvedTls | undefined;
  private readonly channels = new Map<string, EndpointChannel>();
  /** Caches the last lookup by object, so that no key is computed for each call. */
  private readonly knownChannels = new WeakMap<Endpoint, EndpointChannel>();
  /** How many clients have a session with an endpoint. */
  private readonly users = new Map<string, number>();
  private readonly openChannel: ChannelFactory;
  /** @internal False when the endpoints are name servers. */
  readonly hasProxy: boolean;
  /** Of clients that are not closed. */
  private readonly gateways = new Set<GatewayCalls>();
  /** @internal */
  readonly place: ServerPlace;
  private readonly nameServer: string;
  private clientCount = 0;
  private closed = false;

  /**
   * @param given where the command line reaches the cluster, if its endpoints are proxies and it is known; where the server is
   * @throws UsageError that names the option; nothing is connected yet
   */
  constructor(
    options: ConnectionOptions,
    {
      nameServer = UNKNOWN_NAME_SERVER,
      place = 'elsewhere',
    }: { nameServer?: string | undefined; place?: ServerPlace } = {},
  ) {
    assertConnectionOptions(options);
    this.bootstrap = parseEndpoints(options.endpoints);
    this.hasProxy = !areNameServers(options.endpoints);
    this.place = place;
    this.nameServer = this.hasProxy ? nameServer : endpointKey(this.bootstrap);
    this.namespace = options.namespace ?? '';
    this.requestTimeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    this.logger = options.logger === undefined ? silentLogger : unfailing(options.logger);
    const { credentialsRefreshMs: refreshMs } = options;
    this.credentials = new CredentialsSource(options.credentials, { refreshMs, logger: this.logger });
    this.tls = resolveTls(tlsOf(options), this.logger);
    if (this.tls?.acceptsAnyCertificate) this.logger.warn(UNCHECKED, { endpoints: endpointKey(this.bootstrap) });
    this.layouts = new Layouts(layoutsIn(options), this.logger);
    this.clock = options.clock ?? new SystemClock();
    this.random = options.random ?? systemRandom;
    this.checkpoint = checkpointsOf(options);
    this.openChannel = this.channelFactory(options.transport ?? 'http2');
    this.addressRules = {
      useBootstrapEndpoints: options.useBootstrapEndpoints ?? false,
      addressMapping: options.addressMapping,
      bootstrap: this.bootstrap,
    };
  }

  /** For an error or a log line, to copy. @internal */
  readonly command: ClusterCommand = (...words) => commandLine(...words, '--name-server', this.nameServer);

  /** A new client id. The server stores a client's settings under it, so each producer and each consumer has its own. */
  newClientId(): string {
    const unique = BigInt(`0x${this.random.bytes(8).toString('hex')}`).toString(36);
    // A host name such as "Jürgens-PC" is not allowed in a header.
    const host = hostname().replace(/[^\x21-\x7e]/g, '-');
    return `${host}@${process.pid}@${this.clientCount++}@${unique}`;
  }

  /** The calls of one client id. @param role see `ClientRole` */
  newCalls(
    clientId: string,
    { consumption = 'pop' }: { readonly consumption?: Consumption | undefined } = {},
  ): ServerCalls {
    if (this.hasProxy) return new Calls(this, clientId);
    const { bootstrap: nameServers, requestTimeoutMs, tls, credentials, logger } = this;
    const onClose = (closed: GatewayCalls) => void this.gateways.delete(closed);
    const { addressMapping = (address: Address) => address } = this.addressRules;
    // A registered address that is none is reported when it is connected to.
    const mapAddress = (text: string): string =>
      isAddress(text) ? addressText(addressMapping(parseAddress(text))) : text;
    const shared = { nameServers, requestTimeoutMs, tls, credentials, logger };
    const calls = new GatewayCalls({ ...shared, clientId, consumption, mapAddress, onClose });
    this.gateways.add(calls);
    return calls;
  }

  private channelFactory(transport: Transport): ChannelFactory {
    if (transport === 'http2') return (address) => new Http2Channel(address, this.random, this.tls);
    // The package is imported here and nowhere else: a bundle would import it at its start otherwise.
    const load = async (address: string): Promise<Channel> => {
      const [{ GrpcChannel }, grpc] = await Promise.all([import('./wire/grpc-channel.js'), import('@grpc/grpc-js')]);
      return new GrpcChannel(grpc, address, this.tls);
    };
    return (address) => new LazyChannel(address, () => load(address));
  }

  /** The channel to an endpoint. @throws StateError `CLOSED` */
  channel(endpoint: Endpoint): Channel {
    if (this.closed) throw new StateError('CLOSED', 'the connection is closed; nothing was sent');
    const open = this.openTo(endpoint);
    if (open !== undefined) return open;
    const channel = new EndpointChannel(endpoint, this.openChannel, this.requestTimeoutMs);
    this.channels.set(endpointKey(endpoint), channel);
    this.knownChannels.set(endpoint, channel);
    return channel;
  }

  /**
   * Leaves the open connection to an endpoint for a new one. Calls in flight end where they began.
   * @returns false when there is none, or it was left a short while ago
   */
  reconnect(endpoint: Endpoint): boolean {
    return !this.closed && this.openTo(endpoint)?.reconnect() === true;
  }

  private openTo(endpoint: Endpoint): EndpointChannel | undefined {
    const known = this.knownChannels.get(endpoint);
    if (known !== undefined && !known.isClosed) return known;
    const channel = this.channels.get(endpointKey(endpoint));
    if (channel !== undefined) this.knownChannels.set(endpoint, channel);
    return channel;
  }

  /** Registers a client that needs the channel to an endpoint, until {@link release}. */
  retain(endpoint: Endpoint): void {
    const key = endpointKey(endpoint);
    this.users.set(key, (this.users.get(key) ?? 0) + 1);
  }

  /** Unregisters a client. An unused channel to an unavailable server is closed, because the server may never come back. */
  release(endpoint: Endpoint): void {
    const key = endpointKey(endpoint);
    const left = (this.users.get(key) ?? 1) - 1;
    if (left > 0) {
      this.users.set(key, left);
      return;
    }
    this.users.delete(key);
    const channel = this.channels.get(key);
    if (channel === undefined || channel.isConnected || key === endpointKey(this.bootstrap)) return;
    this.channels.delete(key);
    channel.close();
  }

  /** Of the server that an endpoint is currently connected to. */
  capabilities(endpoint: Endpoint): ServerCapabilities {
    if (!this.hasProxy) return GATEWAY_CAPABILITIES;
    return this.openTo(endpoint)?.isEmbeddedBroker === true ? EMBEDDED_CAPABILITIES : MIN_CAPABILITIES;
  }

  /**
   * The metadata of one request of a client. It has no request id: the server only logs it, and a string that never repeats would
   * evict the repeated ones from the connection's header table.
   */
  metadata(clientId: string): Record<string, string> {
    const nowMs = realTimeIn(0).getTime();
    const credentials = this.credentials.current(monotonicMs());
    const { dateTime, authorization } = this.signer.sign(nowMs, credentials);
    const metadata: Record<string, string> = {
      [METADATA.clientId]: clientId,
      [METADATA.language]: 'NODE_JS',
      [METADATA.protocol]: 'v2',
      [METADATA.clientVersion]: PROTOCOL_CLIENT_VERSION,
      [METADATA.dateTime]: dateTime,
      [METADATA.namespace]: this.namespace,
    };
    if (authorization !== undefined) metadata[METADATA.authorization] = authorization;
    if (credentials?.sessionToken !== undefined) metadata[METADATA.sessionToken] = credentials.sessionToken;
    return metadata;
  }

  /** Closes all channels. Close producers and consumers first, or their calls in flight fail. Idempotent. */
  close(): void {
    this.closed = true;
    this.credentials.close();
    for (const channel of this.channels.values()) channel.close();
    this.channels.clear();
    for (const calls of this.gateways) void calls.close();
    this.gateways.clear();
  }
}
