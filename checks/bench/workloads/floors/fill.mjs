// A backlog, as quickly as a server takes it.

import * as wire from './http2-wire.mjs';
import { assertOk, metadataOf, PATHS, sendRequest } from './requests.mjs';

/** Many messages of one topic in a request, some requests side by side: a backlog is quickly there. */
const FILL = { perRequest: 32, maxBytes: 512 * 1024, inFlight: 8 };

/**
 * @param {string} endpoints
 * @param {{ topic: string, bodyBytes: number, count: number, dueFromMs?: number }} backlog with `dueFromMs`: of delayed messages, as
 *   `sendRequest` has them
 */
export async function fill(endpoints, { topic, bodyBytes, count, dueFromMs = undefined }) {
  const failed = new AbortController();
  const calls = await wire.open(endpoints, metadataOf(`bench-fill@${process.pid}`), (error) => failed.abort(error));
  const body = Buffer.alloc(bodyBytes, 'x');
  const perRequest = Math.min(FILL.perRequest, Math.ceil(FILL.maxBytes / bodyBytes), count);
  let sent = 0;
  const filler = async () => {
    while (sent < count) {
      // Consumers distinguish messages by their ids, so each needs its own.
      const request = wire.prepare(sendRequest({ topic, body, perRequest, firstId: sent, dueFromMs }));
      sent += perRequest;
      assertOk(await answerOf(calls, request, failed.signal));
    }
  };
  try {
    await Promise.all(Array.from({ length: FILL.inFlight }, filler));
  } finally {
    calls.close();
  }
}

/**
 * @param {import('./http2-wire.mjs').Calls} calls @param {Buffer} request @param {AbortSignal} failed
 * @returns {Promise<Buffer>}
 */
function answerOf(calls, request, failed) {
  return new Promise((resolve, reject) => {
    const fail = () => reject(failed.reason);
    if (failed.aborted) return fail();
    failed.addEventListener('abort', fail, { once: true });
    calls.unary(PATHS.send, request, (response) => {
      failed.removeEventListener('abort', fail);
      resolve(response);
    });
  });
}
