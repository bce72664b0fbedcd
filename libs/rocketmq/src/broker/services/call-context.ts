// The caller of an RPC, as handlers see it.

import type { Headers } from '../../http2/header-encoder.js';
import { METADATA } from '../../protocol/credentials/metadata.js';
import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcName } from '../../protocol/grpc/rpc.js';
import type { BrokerUser } from '../access/users.js';
import { AnswerError } from './status.js';

/** The caller of an RPC. */
export interface CallContext {
  readonly rpc: RpcName;
  readonly clientId: string;
  /** The name of a language in the remoting protocol, for instance `NODE_JS`. */
  readonly language: string;
  readonly clientVersion: string;
  /** The access key of the calling user; undefined on a broker without users. */
  readonly user: string | undefined;
}

/** @throws AnswerError CLIENT_ID_REQUIRED */
export function callContext(rpc: RpcName, headers: Headers, user: BrokerUser | undefined): CallContext {
  const clientId = textOf(headers, METADATA.clientId);
  if (clientId.trim() === '') throw new AnswerError(Code.CLIENT_ID_REQUIRED, 'client id cannot be empty');
  return {
    rpc,
    clientId,
    language: textOf(headers, METADATA.language),
    clientVersion: textOf(headers, METADATA.clientVersion),
    user: user?.accessKey,
  };
}

function textOf(headers: Headers, key: string): string {
  return headers[key] ?? '';
}
