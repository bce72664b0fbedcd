// What the clients of one cluster share: its endpoints, credentials and channels. Roles and their ids are in client.ts.

import { hostname } from 'node:os';
import { type CredentialsProvider, CredentialsSource, isHeaderText } from '../protocol/credentials/credentials.js';
import { type Credentials, METADATA, Signer } from '../protocol/credentials/metadata.js';
import { type Clock, SystemClock } from '../support/clock.js';
import { monotonicMs, realTimeIn } from '../support/deadline.js';
import { StateError, UsageError } from '../support/errors.js';
import { type Logger, silentLogger, unfailing } from '../support/logger.js';
import { positive } from '../support/options.js';
import { type Random, systemRandom } from '../support/random.js';
import { type ResolvedTls, resolveTls, type TlsOptions } from '../support/tls.js';
import { EMBEDDED_CAPABILITIES, LEAST_CAPABILITIES, type ServerCapabilities } from './capabilities.js';
import type { Channel, ChannelFactory } from './channel.js';
import { type Address, type Endpoint, endpointKey, parseEndpoints, schemeOf } from './endpoint.js';
import { EndpointChannel } from './endpoint-channel.js';
import type { AddressRules } from './route.js';
import { Http2Channel } from './wire/http2-channel.js';
import { LazyChannel } from './wire/lazy-channel.js';

export { positive };

/** The server compares this text with "5.0.3" to choose between codes; it names the official client whose ways ours keeps. */
const PROTOCOL_CLIENT_VERSION = '5.0.8';

const DEFAULT_REQUEST_TIMEOUT_MS = 3_000;

/** What carries the calls of a connection. */
export type Transport = 'http2' | 'grpc-js';

/** How to reach a cluster. */
export interface ConnectionOptions {
  /** Addresses of the cluster's gRPC proxies: `host:8081;host2:8081`. With `https://` before it: over TLS. */
  readonly endpoints: string;
  /**
   * Speak TLS, with every address of the cluster. `true`: the server's certificate must be signed by an authority that Node.js
   * trusts, and hold the host's name. Default: false, or true where `endpoints` begins with `https://`.
   */
  readonly tls?: boolean | TlsOptions;
  /** Default: none. The open-source server does not separate topics by it. */
  readonly namespace?: string;
  /** Needed when the server checks access (ACL). A function is asked again and again, so that keys can change. Default: none. */
  readonly credentials?: Credentials | CredentialsProvider;
  /** How often the function in `credentials` is asked. Default: before `expiresAt` of what it gave, else every minute. */
  readonly credentialsRefreshMs?: number;
  /** How long one request may take unless the call says otherwise, in real time. Default 3000. */
  readonly requestTimeoutMs?: number;
  /** Send everything to `endpoints`, whatever addresses the server advertises (NAT, Docker, port forwards). Default false. */
  readonly useBootstrapEndpoints?: boolean;
  /** Translates each address that the server advertises into one that is reachable from here. Default: as they are. */
  readonly addressMapping?: (address: Address) => Address;
  /** Default: drops everything. Never closed. What it throws is lost. */
  readonly logger?: Logger;
  /**
   * What carries the calls. `http2`: a lean path on node:http2, which takes half the CPU. `grpc-js`: the package `@grpc/grpc-js`.
   * Default `http2`.
   */
  readonly transport?: Transport;
  /** Business time (delays, leases, backoffs). Default: the machine's. Give a test broker's clock to move it in tests. */
  readonly clock?: Clock;
  /** Where ids and jitter come from. Default: the machine's randomness. */
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
  /** What requests are signed with. */
  readonly credentials: CredentialsSource;
  private readonly signer = new Signer();
  private readonly tls: ResolvedTls | undefined;
  private readonly channels = new Map<string, EndpointChannel>();
  /** The same by the object that was asked for last: no key is made for each call. */
  private readonly knownChannels = new WeakMap<Endpoint, EndpointChannel>();
  /** How many clients have a session with an endpoint. */
  private readonly users = new Map<string, number>();
  private readonly openChannel: ChannelFactory;
  private clientCount = 0;
  private closed = false;

  /** @throws UsageError that names the option; nothing is connected yet */
  constructor(options: ConnectionOptions) {
    this.bootstrap = parseEndpoints(options.endpoints);
    this.namespace = options.namespace ?? '';
    if (!isHeaderText(this.namespace)) {
      throw new UsageError(
        'ILLEGAL_OPTION',
        'option namespace must be text of printable ASCII characters',
        'namespace',
      );
    }
    this.requestTimeoutMs = positive('requestTimeoutMs', options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS);
    this.logger = options.logger === undefined ? silentLogger : unfailing(options.logger);
    const refreshMs = options.credentialsRefreshMs && positive('credentialsRefreshMs', options.credentialsRefreshMs);
    this.credentials = new CredentialsSource(options.credentials, { refreshMs, logger: this.logger });
    this.tls = resolveTls(tlsOf(options));
    if (this.tls?.acceptsAnyCertificate) this.logger.warn(UNCHECKED, { endpoints: endpointKey(this.bootstrap) });
    this.clock = options.clock ?? new SystemClock();
    this.random = options.random ?? systemRandom;
    this.openChannel = this.channelFactory(options.transport ?? 'http2');
    this.addressRules = {
      useBootstrapEndpoints: options.useBootstrapEndpoints ?? false,
      addressMapping: options.addressMapping,
      bootstrap: this.bootstrap,
    };
  }

  /** A new client id. The server keys a client's settings by it, so each producer and each consumer takes its own. */
  newClientId(): string {
    const unique = BigInt(`0x${this.random.bytes(8).toString('hex')}`).toString(36);
    // A machine may be called "Jürgens-PC"; a header may not.
    const host = hostname().replace(/[^\x21-\x7e]/g, '-');
    return `${host}@${process.pid}@${this.clientCount++}@${unique}`;
  }

  private channelFactory(transport: Transport): ChannelFactory {
    if (transport === 'http2') return (address) => new Http2Channel(address, this.random, this.tls);
    if (transport === 'grpc-js') {
      const load = async (address: string) =>
        new (await import('./wire/grpc-channel.js')).GrpcChannel(address, this.tls);
      return (address) => new LazyChannel(() => load(address));
    }
    const text = `option transport must be "http2" or "grpc-js", not ${JSON.stringify(transport)}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'transport');
  }

  /** The one channel to an endpoint. @throws StateError `CLOSED` */
  channel(endpoint: Endpoint): Channel {
    if (this.closed) throw new StateError('CLOSED', 'the connection is closed; nothing was sent');
    const open = this.openTo(endpoint);
    if (open !== undefined) return open;
    const channel = new EndpointChannel(endpoint, this.openChannel, this.requestTimeoutMs);
    this.channels.set(endpointKey(endpoint), channel);
    this.knownChannels.set(endpoint, channel);
    return channel;
  }

  private openTo(endpoint: Endpoint): EndpointChannel | undefined {
    const known = this.knownChannels.get(endpoint);
    if (known !== undefined && !known.isClosed) return known;
    const channel = this.channels.get(endpointKey(endpoint));
    if (channel !== undefined) this.knownChannels.set(endpoint, channel);
    return channel;
  }

  /** Says that a client needs the channel to an endpoint, until {@link release}. */
  retain(endpoint: Endpoint): void {
    const key = endpointKey(endpoint);
    this.users.set(key, (this.users.get(key) ?? 0) + 1);
  }

  /** Says that a client needs the channel no more. That to a server that is away is then closed: it may never come back. */
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

  /** Of the server that an endpoint is connected to at present. */
  capabilities(endpoint: Endpoint): ServerCapabilities {
    return this.openTo(endpoint)?.isEmbeddedBroker === true ? EMBEDDED_CAPABILITIES : LEAST_CAPABILITIES;
  }

  /**
   * The metadata of one request of a client. An id of the request is left out: the server only logs it, and a text that never
   * repeats pushes those that do out of the connection's table of headers.
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

  /** Closes all channels. Close producers and consumers first: their calls under way fail. Repeating it does nothing. */
  close(): void {
    this.closed = true;
    this.credentials.close();
    for (const channel of this.channels.values()) channel.close();
    this.channels.clear();
  }
}

const UNCHECKED =
  'the certificate of the server is not checked (tls.dangerouslyAcceptAnyCertificate): anyone in between can read and alter all';

/** @throws UsageError when endpoints and the option contradict each other */
function tlsOf({ endpoints, tls }: ConnectionOptions): boolean | TlsOptions | undefined {
  const scheme = schemeOf(endpoints);
  if (scheme === 'https' && tls === false) {
    throw contradiction('endpoints begins with "https://" and option tls is false');
  }
  if (scheme === 'http' && tls !== undefined && tls !== false) {
    throw contradiction('endpoints begins with "http://" and option tls is given');
  }
  return tls ?? scheme === 'https';
}

function contradiction(what: string): UsageError {
  return new UsageError('ILLEGAL_OPTION', `${what}: they contradict each other, mend one of them`, 'tls');
}
