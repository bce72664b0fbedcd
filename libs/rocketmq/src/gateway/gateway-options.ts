// What a gateway is given, and each of its requests.

import type { CredentialsSource } from '../protocol/credentials/credentials.js';
import type { RpcName, RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import type { Consumption } from '../protocol/model/consumption.js';
import type { LevelChoice } from '../protocol/model/delay-chain.js';
import type { Abortable } from '../support/abort-source.js';
import type { Deadline } from '../support/deadline.js';
import type { Logger } from '../support/logger.js';
import type { ResolvedTls } from '../support/tls.js';

export interface GatewayOptions {
  readonly clientId: string;
  readonly consumption: Consumption;
  /** `host:port` of each name server. */
  readonly nameServers: readonly string[];
  readonly requestTimeoutMs: number;
  /** How this process reaches a broker that registered with an address. */
  readonly mapAddress: (address: string) => string;
  readonly tls: ResolvedTls | undefined;
  readonly credentials: CredentialsSource;
  readonly logger: Logger;
}

/** The options of one request. */
export interface RequestLimits {
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: Abortable;
  /** Whether a change of the invisible duration postpones the next attempt. Default: the lease goes on. */
  readonly isRetry?: boolean;
  /** What is done with a delay that is no level of the broker. Default: it is rejected. */
  readonly delayLevels?: LevelChoice;
}

/** Answers the requests of one kind. */
export type Handler<N extends RpcName> = (
  address: string,
  request: RpcRequest<N>,
  deadline: Deadline,
  limits: RequestLimits,
) => Promise<RpcResponse<N>>;
