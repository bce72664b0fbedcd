// Asks one question on a connection of its own, to find out who listens on an address.

import type { Socket } from 'node:net';
import { waitWithin } from './deadline.js';

export interface Asking {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Writes a question on a new connection and closes it once the answer is known.
 * @param read recognizes the answer by a piece of it; undefined: more is needed. What it throws ends the connection
 * @returns `silent` when a connection was there and nothing came in time, `ended` when there was none or it was closed
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
