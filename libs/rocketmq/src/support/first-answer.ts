// Sends one request on a separate connection, to find out what kind of server listens on an address.

import type { Socket } from 'node:net';
import { waitWithin } from './deadline.js';

export interface Asking {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Writes a request on a new connection and closes it once the answer is known.
 * @param read recognizes the answer from a chunk; undefined means that it needs more. Throwing closes the connection
 * @returns `silent` when the server accepted the connection and did not answer in time, `ended` when it rejected or closed it
 */
export async function firstAnswer<T>(
  socket: Socket,
  question: Buffer,
  { timeoutMs, signal }: Asking,
  read: (piece: Buffer) => T | undefined,
): Promise<T | 'silent' | 'ended'> {
  const answered = new Promise<T | 'ended'>((resolve) => {
    socket.on('data', (piece: Buffer) => {
      try {
        const answer = read(piece);
        if (answer !== undefined) resolve(answer);
      } catch {
        resolve('ended');
      }
    });
    socket.once('error', () => resolve('ended'));
    socket.once('close', () => resolve('ended'));
  });
  socket.write(question);
  try {
    return await waitWithin('question', timeoutMs, signal, answered);
  } catch {
    return socket.connecting ? 'ended' : 'silent';
  } finally {
    socket.destroy();
  }
}
