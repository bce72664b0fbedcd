// The requests of the admin client, and the error for an answer that is not remoting. The bytes are in protocol/remoting/frame.ts.

import type { MalformedFrame, UnnumberedFrame } from '../protocol/remoting/frame.js';
import { TransportError } from '../support/errors.js';

/** A request to a name server or broker. Its `code` is for instance 17, to create a topic. */
export type RemotingRequest = Pick<UnnumberedFrame, 'code' | 'fields' | 'body' | 'isBodyFinal' | 'language'>;

/** The types of the first frame of an HTTP/2 server: SETTINGS, or GOAWAY to a client that does not speak HTTP/2. */
const [SETTINGS, GOAWAY] = [4, 7];

/** Whether a server answers in HTTP/2: an answer in remoting has no header of 0 bytes. */
export function isHttp2Answer(bytes: Buffer): boolean {
  if (bytes.length < 9) return false;
  return (bytes[3] === SETTINGS || bytes[3] === GOAWAY) && bytes[4] === 0 && bytes.readUInt32BE(5) === 0;
}

/** The error for the address of a proxy in the place of that of a name server. Whatever was sent, it had no effect. */
export function notANameServer(address: string, cause?: unknown): TransportError {
  const text =
    `${address} speaks HTTP/2, as a RocketMQ proxy does; nothing took effect; give the address of a name server, usually at port 9876; ` +
    'for clients that use the proxy, leave out "name-server:"';
  return new TransportError('NOT_A_NAME_SERVER', text, 'not-sent', false, { cause });
}

/** The error for a server that does not speak remoting. */
export function malformedAnswer(cause: MalformedFrame): TransportError {
  const message = `the server sent ${cause.what}; check that the address is the remoting port of a name server or broker`;
  return new TransportError('RPC_FAILED', message, 'unknown', false, { cause });
}
