// Calls of one client id to a cluster without a proxy. The gateway is loaded at the first call, so that others do not load it.

import type { CredentialsSource } from '../protocol/credentials/credentials.js';
import type { RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import type { Consumption } from '../protocol/model/consumption.js';
import { raceAbort } from '../support/abort.js';
import { type Abortable, signalOf } from '../support/abort-source.js';
import { StateError, TransportError } from '../support/errors.js';
import { describeError, type Logger } from '../support/logger.js';
import type { ResolvedTls } from '../support/tls.js';
import { addressText, type Endpoint } from './endpoint.js';
import type { RequestOptions, ServerCalls, TelemetryStream, UnaryRpc } from './server-calls.js';

type Gateway = import('../gateway/gateway.js').Gateway;

interface GatewayCallsOptions {
  readonly clientId: string;
  readonly consumption: Consumption;
  readonly nameServers: Endpoint;
  readonly requestTimeoutMs: number;
  readonly tls: ResolvedTls | undefined;
  readonly credentials: CredentialsSource;
  readonly logger: Logger;
  readonly mapAddress: (address: string) => string;
  readonly onClose: (calls: GatewayCalls) => void;
}

/** Hands calls to a gateway of its own. */
export class GatewayCalls implements ServerCalls {
  private gateway: Gateway | undefined;
  private loading: Promise<Gateway> | undefined;
  private closing: Promise<void> | undefined;
  /** Avoids building the string for each request. */
  private readonly addresses = new WeakMap<Endpoint, string>();

  constructor(private readonly options: GatewayCallsOptions) {}

  ready(signal?: Abortable): Promise<void> | undefined {
    if (this.gateway !== undefined) return undefined;
    return raceAbort(this.load(), signalOf(signal)).then(() => {});
  }

  unary<N extends UnaryRpc>(
    endpoint: Endpoint,
    rpc: N,
    request: RpcRequest<N>,
    options: RequestOptions,
  ): Promise<RpcResponse<N>> {
    const ask = (gateway: Gateway) => gateway.unary(this.addressOf(endpoint), rpc, request, options);
    return this.gateway === undefined ? this.loaded(options).then(ask) : ask(this.gateway);
  }

  async receive(
    endpoint: Endpoint,
    request: RpcRequest<'receiveMessage'>,
    options: RequestOptions,
    onAnswer: (answer: RpcResponse<'receiveMessage'>) => void,
  ): Promise<void> {
    const gateway = this.gateway ?? (await this.loaded(options));
    await gateway.receive(this.addressOf(endpoint), request, options, onAnswer);
  }

  telemetry(endpoint: Endpoint): TelemetryStream {
    if (this.gateway === undefined) throw new StateError('CLOSED', 'the gateway is not loaded yet; nothing was sent');
    return this.gateway.telemetry(this.addressOf(endpoint));
  }

  close(): Promise<void> {
    if (this.closing !== undefined) return this.closing;
    this.options.onClose(this);
    this.closing = this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    const gateway = this.gateway ?? (await this.loading?.catch(() => undefined));
    await gateway?.close();
  }

  private loaded({ signal }: RequestOptions): Promise<Gateway> {
    return raceAbort(this.load(), signalOf(signal));
  }

  private load(): Promise<Gateway> {
    if (this.closing !== undefined) {
      return Promise.reject(new StateError('CLOSED', 'the client is closed; nothing was sent'));
    }
    this.loading ??= this.create();
    return this.loading;
  }

  private async create(): Promise<Gateway> {
    const { nameServers, ...options } = this.options;
    try {
      const { Gateway } = await import('../gateway/gateway.js');
      this.gateway = new Gateway({ ...options, nameServers: nameServers.addresses.map(addressText) });
      return this.gateway;
    } catch (cause) {
      const text = `the gateway to name servers cannot be loaded: ${describeError(cause)}; nothing was sent`;
      throw new TransportError('TRANSPORT_MISSING', text, 'not-sent', false, { cause });
    }
  }

  /** A broker has one address here. The name servers are asked by the gateway itself; their first address stands for them. */
  private addressOf(endpoint: Endpoint): string {
    const known = this.addresses.get(endpoint);
    if (known !== undefined) return known;
    const address = addressText(endpoint.addresses[0] as Endpoint['addresses'][number]);
    this.addresses.set(endpoint, address);
    return address;
  }
}
