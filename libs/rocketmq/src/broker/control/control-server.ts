// The control port: HTTP/1.1 in, JSON out. Checks, limits and errors are here; control-requests.ts maps requests to handlers.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../support/clock.js';
import { describeError, type Logger } from '../../support/logger.js';
import { AccessRejection } from '../access/access-control.js';
import { Rejection } from '../engine/rejection.js';
import { ConnectionRoom } from '../services/connection-room.js';
import { Listener, type PortTls } from '../services/listener.js';
import { StoreFailure } from '../store/store-failure.js';
import { assertLocalCaller } from './control-guard.js';
import { Fields, parseJson } from './control-input.js';
import { ControlRejection } from './control-rejection.js';
import type { Answer, Route, Routes } from './control-requests.js';

const MAX_BODY_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 64;
/** The lifetime of a connection in real time; it carries one request. */
const MAX_CONNECTION_MS = 30_000;

interface ControlServerOptions {
  readonly routes: Routes;
  /** Throws an AccessRejection for an unauthorized caller. */
  readonly admit: (authorization: string | undefined) => void;
  /** Host names of the broker, in addition to IP addresses and `localhost`. */
  readonly ownNames: readonly string[];
  readonly realClock: Clock;
  readonly logger: Logger;
  /** Undefined for plaintext. */
  readonly tls: PortTls | undefined;
}

/** Serves the control port. */
export class ControlServer {
  private readonly listener: Listener;
  private readonly http: Server;
  private readonly room = new ConnectionRoom({ max: MAX_CONNECTIONS });

  constructor(private readonly options: ControlServerOptions) {
    this.http = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAlive: false }, (request, response) => {
      void this.serve(request, response);
    });
    // A second request on the connection would be executed without an answer.
    this.http.maxRequestsPerSocket = 1;
    const { realClock: clock, tls } = options;
    const { room } = this;
    this.listener = new Listener((socket) => this.accept(socket), { clock, room, tls: tls && speakingHttp1(tls) });
  }

  /**
   * @returns the port that was bound
   * @throws StateError `PORT_IN_USE`
   */
  listen(host: string, port: number): Promise<number> {
    return this.listener.listen(host, port);
  }

  /** Closes the port and all connections. Idempotent. */
  stop(): void {
    this.listener.stopListening();
    this.listener.destroyConnections();
  }

  private accept(socket: Socket): void {
    const end = this.options.realClock.schedule(MAX_CONNECTION_MS, () => socket.destroy());
    socket.once('close', () => end.cancel());
    this.http.emit('connection', socket);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      send(response, request, await this.answer(request));
    } catch (error) {
      // When the broker stops meanwhile, nobody waits for the answer, and the closed store is not worth an error.
      if (!response.destroyed) send(response, request, this.rejectionOf(error, request));
    }
  }

  /** The connection counts as idle until an authorized request has arrived completely, and again once its answer is being sent. */
  private async answer(request: IncomingMessage): Promise<Answer> {
    assertLocalCaller(request, this.options.ownNames);
    this.options.admit(request.headers.authorization);
    const { path, query } = targetOf(request.url ?? '');
    const route = this.routeFor(path, request.method ?? '');
    const fields = await this.fieldsOf(request, route, query);
    this.room.begin(request.socket);
    try {
      return await route.answer(fields);
    } finally {
      this.room.answered(request.socket);
    }
  }

  private async fieldsOf(request: IncomingMessage, { kind }: Route, query: URLSearchParams): Promise<Fields> {
    if (kind === 'read') return Fields.ofQuery(query);
    if ([...query].length > 0)
      throw new ControlRejection(400, 'ILLEGAL_ARGUMENT', 'send the fields of a change in the body, not in the query');
    return Fields.ofBody(parseJson(await bodyOf(request)));
  }

  private routeFor(path: string, method: string): Route {
    const route = this.options.routes.get(path);
    const paths = (): string => [...this.options.routes.keys()].join(', ');
    if (route === undefined) throw new ControlRejection(404, 'UNKNOWN_PATH', `the paths are ${paths()}`);
    const asked = method === 'HEAD' ? 'GET' : method;
    const found = route.find(({ kind }) => (kind === 'read' ? 'GET' : 'POST') === asked);
    if (found !== undefined) return found;
    const allowed = route.map(({ kind }) => (kind === 'read' ? 'GET' : 'POST')).join(', ');
    throw new ControlRejection(405, 'WRONG_METHOD', `${path} accepts ${allowed}`);
  }

  private rejectionOf(error: unknown, { url }: IncomingMessage): Answer {
    if (error instanceof ControlRejection) return rejected(error.status, error.code, error.message);
    if (error instanceof AccessRejection) {
      return {
        ...rejected(401, 'UNAUTHORIZED', error.message),
        headers: { 'www-authenticate': 'Basic realm="broker"' },
      };
    }
    if (error instanceof Rejection && error.reason === 'store-full') return rejected(503, 'STORE_FULL', error.message);
    if (error instanceof StoreFailure) return rejected(503, 'STORE_LOST', error.message);
    this.options.logger.error('control request failed', { url, error: describeError(error) });
    return rejected(500, 'INTERNAL_ERROR', describeError(error));
  }
}

function rejected(status: number, code: string, message: string): Answer {
  return { status, json: { code, message } };
}

function send(
  response: ServerResponse,
  request: IncomingMessage,
  { status = 200, json, text, headers = {} }: Answer,
): void {
  if (response.destroyed) return;
  const body = Buffer.from(text?.body ?? JSON.stringify(json));
  response.writeHead(status, {
    'content-type': text?.type ?? 'application/json; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    connection: 'close',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function targetOf(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const at = url.indexOf('?');
  return at < 0
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, at), query: new URLSearchParams(url.slice(at + 1)) };
}

/** Requires a content type that a page cannot send without a CORS preflight, and a body of limited size. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new ControlRejection(415, 'WRONG_CONTENT_TYPE', 'a change requires content-type: application/json');
  }
  const tooLarge = new ControlRejection(413, 'BODY_TOO_LARGE', `a body can have at most ${MAX_BODY_BYTES} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BODY_BYTES) throw tooLarge;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

/** HTTP/1.1, as curl, fetch and Prometheus use; the other ports use HTTP/2. */
function speakingHttp1(tls: PortTls): PortTls {
  return { ...tls, serverOptions: () => ({ ...tls.serverOptions(), ALPNProtocols: ['http/1.1'] }) };
}
