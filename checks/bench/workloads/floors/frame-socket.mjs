// A socket whose bytes are read into one buffer, frame by frame, without copies but of what a read leaves incomplete.

import { once } from 'node:events';
import { connect } from 'node:net';

/** Larger than any frame that comes. */
const BUFFER_BYTES = 1024 * 1024;
const COPIES = 64;

/**
 * @param {string} address host:port
 * @param {(buffer: Buffer, end: number) => number} read reads the whole frames from the begin of the buffer to `end`, and returns where the
 *   next one begins
 * @returns {Promise<import('node:net').Socket>} when it fails or ends, so does the process
 */
export async function openFrames(address, read) {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  let held = 0;
  const colon = address.lastIndexOf(':');
  const socket = connect({
    host: address.slice(0, colon),
    port: Number(address.slice(colon + 1)),
    noDelay: true,
    onread: {
      buffer: () => buffer.subarray(held),
      callback(bytes) {
        const end = held + bytes;
        socket.cork();
        const at = read(buffer, end);
        socket.uncork();
        buffer.copyWithin(0, at, end);
        held = end - at;
        if (held === buffer.length) throw new Error('a frame is larger than the buffer');
        return true;
      },
    },
  });
  await once(socket, 'connect');
  socket.on('error', crash).on('close', () => crash(new Error('the server closed the connection')));
  return socket;
}

/**
 * Copies of one request that are written again and again, many at a time: only what numbers them is changed.
 * @param {import('node:net').Socket} socket @param {Buffer} request
 * @param {(buffer: Buffer, at: number) => void} number gives the copy that begins there the next number
 * @returns {(count: number) => void}
 */
export function repeated(socket, request, number) {
  /** @type {Buffer[]} */
  const free = [];
  return (count) => {
    for (let left = count; left > 0; left -= COPIES) {
      const copies = free.pop() ?? Buffer.concat(new Array(COPIES).fill(request));
      const bytes = Math.min(left, COPIES) * request.length;
      for (let at = 0; at < bytes; at += request.length) number(copies, at);
      socket.write(copies.subarray(0, bytes), () => free.push(copies));
    }
  };
}

/** @param {Error} error @returns {never} */
function crash(error) {
  throw error;
}
