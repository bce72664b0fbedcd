// Sends requests to one address of a proxy as a client would, without side effects: no session, no settings, no cached route.

import { Calls } from '../../client/calls.js';
import { Connection } from '../../client/connection.js';
import type { ConnectionOptions } from '../../client/connection-options.js';
import { type Address, addressText, toWireEndpoints } from '../../client/endpoint.js';
import { resource } from '../../client/route.js';
import type { UnaryRpc } from '../../client/server-calls.js';
import { ClientType, Code, type Status } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../../protocol/grpc/rpc.js';
import { StatusError } from '../../protocol/grpc/status.js';

/** How to reach a proxy. */
export type ProbeAccess = Pick<ConnectionOptions, 'tls' | 'credentials'> & { readonly timeoutMs: number };

/** The answer of a proxy to a request without side effects. */
export interface Greeted {
  readonly isEmbeddedBroker: boolean;
  /** Undefined: it grants this client access. */
  readonly rejection: StatusError | undefined;
}

export class ProxyProbe {
  private readonly connection: Connection;
  private readonly calls: Calls;

  constructor(
    readonly address: Address,
    private readonly access: ProbeAccess,
  ) {
    const { tls, credentials, timeoutMs } = access;
    this.connection = new Connection({
      endpoints: addressText(address),
      tls,
      credentials,
      requestTimeoutMs: timeoutMs,
    });
    this.calls = new Calls(this.connection, this.connection.newClientId());
  }

  /**
   * Sends a heartbeat of an unknown producer, which the server rejects. It is cheap, needs neither topic nor group, and the server
   * checks the credentials first.
   * @throws TransportError when nothing answers, or something other than a proxy
   */
  async identify(): Promise<Greeted> {
    const { status } = await this.ask('heartbeat', { group: undefined, clientType: ClientType.PRODUCER });
    const isRejected = status?.code === Code.UNAUTHORIZED || status?.code === Code.FORBIDDEN;
    return {
      isEmbeddedBroker: this.connection.channel(this.connection.bootstrap).isEmbeddedBroker,
      rejection: isRejected ? new StatusError(`heartbeat to ${addressText(this.address)}`, status) : undefined,
    };
  }

  /** @throws TransportError */
  route(topic: string): Promise<RpcResponse<'queryRoute'>> {
    return this.ask('queryRoute', this.of(topic));
  }

  /** Only for a group that exists: in some modes the server creates a group on this request. @throws TransportError */
  assignment(topic: string, group: string): Promise<RpcResponse<'queryAssignment'>> {
    return this.ask('queryAssignment', { ...this.of(topic), group: resource('', group) });
  }

  close(): void {
    this.connection.close();
  }

  private of(topic: string) {
    return { topic: resource('', topic), endpoints: toWireEndpoints(this.connection.bootstrap) };
  }

  private ask<N extends UnaryRpc>(rpc: N, request: RpcRequest<N>): Promise<RpcResponse<N>> {
    const options = { what: `${rpc} to ${addressText(this.address)}`, timeoutMs: this.access.timeoutMs };
    return this.calls.unary(this.connection.bootstrap, rpc, request, options);
  }
}

/** The error for an answer that is not OK; otherwise undefined. */
export function rejectionOf(what: string, status: Status | undefined): StatusError | undefined {
  return status?.code === Code.OK ? undefined : new StatusError(what, status);
}
