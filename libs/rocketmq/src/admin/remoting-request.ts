// What the admin client asks, and what it says of an answer that is none. The bytes are in protocol/remoting/frame.ts.

import { encodeFrame, type MalformedFrame } from '../protocol/remoting/frame.js';
import { TransportError } from '../support/errors.js';

/** What is asked of a name server or a broker. */
export interface RemotingRequest {
  /** The request code, for instance 17 to create a topic. */
  readonly code: number;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export function encodeRequest(request: RemotingRequest, opaque: number): Buffer {
  return encodeFrame({ ...request, opaque });
}

/** The error for a server that does not speak remoting. */
export function malformedAnswer(cause: MalformedFrame): TransportError {
  const message = `the server sent ${cause.what}; is this the remoting port of a name server or broker?`;
  return new TransportError('RPC_FAILED', message, 'unknown', false, { cause });
}
