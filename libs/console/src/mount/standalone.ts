// The console as a server of its own, for any cluster: on the loopback interface by default, behind a token that only its starter sees.

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import type { ControlClient } from 'nestjs-rocketmq/broker';
import type { Connection } from 'nestjs-rocketmq/client';
import type { ConsoleOptions } from '../access/options.js';
import { Console } from '../console.js';
import { type ConsoleAnswer, ConsoleRejection, rejectionAnswer } from '../http/exchange.js';
import { assertLoopback, isLoopback } from '../http/guard.js';
import { JSON_HEADERS } from '../http/headers.js';
import { requestOf, respond } from '../http/node-exchange.js';
import { ConsoleSender } from './sender.js';

/** What the console shows. It closes none of these. */
export interface StandaloneSource {
  readonly admin: RocketMQAdmin;
  /** The control port of an embedded broker. Default: none. */
  readonly control?: ControlClient;
  /** How messages are sent. Default: the console cannot send. */
  readonly connection?: Connection;
  /** Shown above every page. Default: `RocketMQ`. */
  readonly title?: string;
  /** Receives a line for each change. Default: nothing is logged. */
  readonly log?: (line: string) => void;
  /** The command that starts a console beside this one, for another browser. Default: none is named. */
  readonly another?: string;
}

/** The options of `startStandaloneConsole()`. */
export interface StandaloneOptions extends ConsoleOptions {
  /**
   * The address to listen on. Default: `127.0.0.1`; other machines are then rejected. With another one, such as `0.0.0.0` in a container, only
   * the token protects the console, and it travels unencrypted: publish the port on this machine only, or put a proxy with TLS before it.
   */
  readonly host?: string;
  /** The port to listen on. Default: 0, a free port. */
  readonly port?: number;
}

/** A console that runs. */
export interface StandaloneConsole {
  /** What to open, with the token that lets one browser in. */
  readonly url: string;
  readonly port: number;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Browsers send cookies to all ports of a host, so each console has one of its own. */
const COOKIE = 'rocketmq-console-';

/** What has the token is let in by it as often as it likes, until a browser has come back. */
const MAX_OFFERED = 16;

const LOOPBACK = '127.0.0.1';
/** What stands for all addresses, of which this machine has the loopback one. */
const ALL_ADDRESSES: readonly string[] = ['0.0.0.0', '::'];

/**
 * Starts the console, on 127.0.0.1 by default. With `control`, everything can be changed and bodies are shown, except with `NODE_ENV=production`.
 * @throws TypeError for an option that is wrong; the error of the system when it cannot listen
 */
export async function startStandaloneConsole(
  { admin, control, connection, title, log = () => {}, another }: StandaloneSource,
  { host = LOOPBACK, port = 0, ...options }: StandaloneOptions = {},
): Promise<StandaloneConsole> {
  // Node takes no address for all addresses.
  if (typeof host !== 'string' || host === '')
    throw new TypeError(
      `option host of the console must be an address such as "127.0.0.1", not ${JSON.stringify(host)}`,
    );
  const sender = connection && new ConsoleSender(() => connection);
  const source = {
    admin,
    title,
    log,
    kind: control === undefined ? 'cluster' : 'embedded',
    control: control && (() => control),
    send: sender?.send,
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
  } as const;
  const server = new StandaloneServer(new Console(source, options), another);
  const bound = await server.listen(host, port);
  const close = async (): Promise<void> => {
    await server.close();
    await sender?.close();
  };
  return { url: `http://${openedAs(host)}:${bound}/?token=${server.token}`, port: bound, close };
}

class StandaloneServer {
  /** In the address, for one visit. */
  readonly token = randomBytes(24).toString('base64url');
  /** In the cookie of the browser that was let in; undefined until it comes back with it. */
  private session: string | undefined;
  /** In the cookies that the token gave: what only looks at an address, such as a prefetch, does not come back. */
  private readonly offered: string[] = [];
  /** Whether it listens where only this machine reaches it. */
  private isLocal = true;
  private readonly server: Server;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly console: Console,
    private readonly another: string | undefined,
  ) {
    this.server = createServer((message, response) => void this.handle(message, response));
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
        const bound = this.server.address() as AddressInfo;
        this.isLocal = isLoopback(bound.address);
        resolve(bound.port);
      });
    });
  }

  close(): Promise<void> {
    this.closing ??= new Promise((resolve) => {
      this.console.close();
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
    return this.closing;
  }

  private async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = '/'] = (message.url ?? '/').split('?', 1);
    const request = requestOf(message, response, { path, mountedAs: undefined, viewer: undefined });
    try {
      // Elsewhere the cookie is enough: a browser sends it to the name only by which the token was used.
      if (this.isLocal) assertLoopback(request);
      const token = request.query.get('token');
      if (token !== null && message.method === 'GET') this.welcome(message, response, token);
      else {
        this.assertKnown(message);
        await respond(response, await this.console.answer(request), request.signal);
      }
    } catch (error) {
      if (!(error instanceof ConsoleRejection)) return void response.destroy();
      const isPage = message.headers.accept?.includes('text/html') === true;
      await respond(response, isPage ? textOf(error) : rejectionAnswer(error), request.signal);
    }
  }

  /** The token is in the history of the shell and of the browser, so it lets one browser in, which may open the address again. */
  private welcome(message: IncomingMessage, response: ServerResponse, token: string): void {
    const to = { location: '/', 'cache-control': 'no-store' };
    if (this.isKnown(message)) return void response.writeHead(303, to).end();
    if (this.session !== undefined || !isSame(token, this.token)) throw stranger(this.another);
    const session = randomBytes(24).toString('base64url');
    this.offered.push(session);
    if (this.offered.length > MAX_OFFERED) this.offered.shift();
    const cookie = `${this.cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/`;
    response.writeHead(303, { ...to, 'set-cookie': cookie }).end();
  }

  private get cookieName(): string {
    return COOKIE + (this.server.address() as AddressInfo).port;
  }

  private assertKnown(message: IncomingMessage): void {
    if (!this.isKnown(message)) throw stranger(this.another);
  }

  /** The first browser that comes back is the one. */
  private isKnown({ headers: { cookie = '' } }: IncomingMessage): boolean {
    const given = cookie.split(';').map((part) => part.trim().split('=', 2));
    const own = given.flatMap(([name, value = '']) => (name === this.cookieName ? [value] : []));
    this.session ??= this.offered.find((session) => own.some((value) => isSame(value, session)));
    const { session } = this;
    return session !== undefined && own.some((value) => isSame(value, session));
  }
}

/** What a browser on this machine opens; in a container, where its port is published under the same number. */
function openedAs(host: string): string {
  if (ALL_ADDRESSES.includes(host)) return LOOPBACK;
  return isIPv6(host) ? `[${host}]` : host;
}

/** Whoever starts again what has this console may lose what an embedded broker has in memory. */
function stranger(another: string | undefined): ConsoleRejection {
  const beside = `leave it running and start a console beside it${another === undefined ? '' : `: ${another}`}`;
  const text = `open the address that the command printed; it lets one browser in; for another one, ${beside}`;
  return new ConsoleRejection(401, 'NO_SESSION', text);
}

function isSame(given: string, wanted: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(wanted)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** For the address line of a browser. */
function textOf({ status, message }: ConsoleRejection): ConsoleAnswer {
  const headers = { ...JSON_HEADERS, 'content-type': 'text/plain; charset=utf-8' };
  return { kind: 'whole', status, headers, body: `${message}\n` };
}
