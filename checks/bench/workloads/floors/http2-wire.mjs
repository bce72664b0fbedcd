// The leanest call that can be written on node:http2: constant headers, one framed body, data and trailers. No deadlines, no
// cancellation, no reconnect: a floor to compare with, nothing to use.

import { connect } from 'node:http2';

const FRAME_HEAD_BYTES = 5;
const WINDOW_BYTES = 16 * 1024 * 1024;
/** With less, Node.js refuses streams while large bodies are under way. */
const SESSION_MEMORY_MB = 256;
const DEADLINE = '60S';

export const name = 'http2';

/** A message with the head that gRPC puts before it. @param {Uint8Array} payload */
export function prepare(payload) {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  frame[0] = 0;
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, FRAME_HEAD_BYTES);
  return frame;
}

/**
 * What both wires can do. A response is the message without its frame.
 * @typedef {object} Calls
 * @property {(path: string, prepared: Buffer, done: (response: Buffer) => void) => void} unary
 * @property {(path: string, prepared: Buffer, onMessage: (response: Buffer) => void, onEnd: () => void) => void} serverStream
 * @property {(path: string, prepared: Buffer, onMessage: (response: Buffer) => void) => () => void} duplex returns what ends the stream
 * @property {() => void} close
 */

/**
 * @param {string} endpoints @param {Record<string, string>} metadata
 * @param {(error: Error) => void} [onError] called when a call fails; default: the process ends
 * @returns {Promise<Calls>}
 */
export async function open(endpoints, metadata, onError = crash) {
  const options = { settings: { initialWindowSize: WINDOW_BYTES }, maxSessionMemory: SESSION_MEMORY_MB };
  const session = connect(`http://${endpoints}`, options);
  await new Promise((resolve, reject) => session.once('connect', resolve).once('error', reject));
  session.on('error', onError);
  session.setLocalWindowSize(WINDOW_BYTES);
  /** @type {Map<string, import('node:http2').OutgoingHttpHeaders>} */
  const headers = new Map();
  const headersOf = (/** @type {string} */ path) => {
    let found = headers.get(path);
    if (found === undefined) {
      const fixed = { ':method': 'POST', ':path': path, te: 'trailers', 'content-type': 'application/grpc' };
      found = { ...fixed, 'grpc-timeout': DEADLINE, ...metadata };
      headers.set(path, found);
    }
    return found;
  };
  return {
    unary(path, prepared, done) {
      const stream = session.request(headersOf(path));
      stream.on('error', onError);
      /** @type {Buffer | undefined} */
      let response;
      stream.on('data', (/** @type {Buffer} */ chunk) => {
        response = response === undefined ? chunk : Buffer.concat([response, chunk]);
      });
      stream.on('trailers', (trailers) => {
        if (trailers['grpc-status'] === '0' && response !== undefined) done(response.subarray(FRAME_HEAD_BYTES));
        else onError(new Error(`${path}: gRPC status ${trailers['grpc-status']}`));
      });
      stream.end(prepared);
    },

    serverStream(path, prepared, onMessage, onEnd) {
      const stream = session.request(headersOf(path));
      stream.on('data', framesTo(onMessage));
      stream.on('trailers', onEnd);
      stream.end(prepared);
    },

    duplex(path, prepared, onMessage) {
      const stream = session.request({ ...headersOf(path), 'grpc-timeout': '1H' });
      stream.on('data', framesTo(onMessage));
      stream.write(prepared);
      return () => stream.end();
    },

    close: () => session.close(),
  };
}

/** @param {Error} error @returns {never} */
function crash(error) {
  throw error;
}

/** Puts frames together that came in pieces. @param {(message: Buffer) => void} onMessage */
function framesTo(onMessage) {
  /** @type {Buffer | undefined} */
  let rest;
  return (/** @type {Buffer} */ chunk) => {
    let data = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    while (data.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + data.readUInt32BE(1);
      if (data.length < end) break;
      onMessage(data.subarray(FRAME_HEAD_BYTES, end));
      data = data.subarray(end);
    }
    rest = data.length > 0 ? data : undefined;
  };
}
