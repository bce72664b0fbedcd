// Node's requests and responses, which Express and Fastify wrap, as those of the console.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { controllerForMany } from '../cluster/controller-for-many.js';
import { type ConsoleAnswer, ConsoleRejection, type ConsoleRequest } from './exchange.js';

/** The largest body of a change; a list of a thousand positions has less. */
const MAX_BODY_BYTES = 1024 * 1024;

interface Known extends Pick<ConsoleRequest, 'path' | 'mountedAs' | 'viewer'> {
  /** Default: the header `Host`. */
  readonly host?: string | undefined;
  /** The body, where something before this has read it; undefined when nothing has. */
  readonly parsed?: unknown;
}

/** @param path after the path at which the console is mounted */
export function requestOf(
  message: IncomingMessage,
  response: ServerResponse,
  { path, mountedAs, viewer, host = message.headers.host, parsed }: Known,
): ConsoleRequest {
  const gone = controllerForMany();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the browser has gone away'));
  });
  const [, search = ''] = (message.url ?? '').split('?', 2);
  return {
    method: message.method ?? 'GET',
    path,
    mountedAs,
    query: new URLSearchParams(search),
    headers: message.headers,
    httpVersion: message.httpVersion,
    host,
    remoteAddress: message.socket.remoteAddress,
    viewer,
    signal: gone.signal,
    json: async () => (parsed === undefined ? jsonOf(await bodyOf(message)) : parsed),
  };
}

/** Writes an answer, and waits where the browser reads more slowly than a stream writes. */
export async function respond(response: ServerResponse, answer: ConsoleAnswer, signal: AbortSignal): Promise<void> {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(answer.status, { ...answer.headers });
  if (answer.kind === 'whole') {
    response.end(response.req.method === 'HEAD' ? undefined : answer.body);
    return;
  }
  response.flushHeaders();
  try {
    for await (const line of answer.lines) {
      if (signal.aborted) return;
      if (!response.write(line)) await drained(response);
    }
  } finally {
    response.end();
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES)
      throw new ConsoleRejection(413, 'TOO_LARGE', `a change has at most ${MAX_BODY_BYTES} bytes; nothing was changed`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new ConsoleRejection(400, 'WRONG_BODY', 'the body is not JSON; nothing was changed');
  }
}
