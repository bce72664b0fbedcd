// The requests of the admin client, and the error for an answer that is not remoting. The bytes are in protocol/remoting/frame.ts.

import type { MalformedFrame, UnnumberedFrame } from '../protocol/remoting/frame.js';
import { TransportError } from '../support/errors.js';

/** A request to a name server or broker. Its `code` is for instance 17, to create a topic. */
export type RemotingRequest = Pick<UnnumberedFrame, 'code' | 'fields' | 'body' | 'isBodyFinal' | 'language'>;

/** The error for a server that does not speak remoting. */
export function malformedAnswer(cause: MalformedFrame): TransportError {
  const message = `the server sent ${cause.what}; check that the address is the remoting port of a name server or broker`;
  return new TransportError('RPC_FAILED', message, 'unknown', false, { cause });
}
