// The requests of the admin client, and the error for an answer that is not remoting. The bytes are in protocol/remoting/frame.ts.

import type { MalformedFrame, OutgoingFrame } from '../protocol/remoting/frame.js';
import { TransportError } from '../support/errors.js';

/** A request to a name server or broker. */
export interface RemotingRequest {
  /** The request code, for instance 17 to create a topic. */
  readonly code: number;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly language?: OutgoingFrame['language'];
}

/** The error for a server that does not speak remoting. */
export function malformedAnswer(cause: MalformedFrame): TransportError {
  const message = `the server sent ${cause.what}; check that the address is the remoting port of a name server or broker`;
  return new TransportError('RPC_FAILED', message, 'unknown', false, { cause });
}
