// A reverse proxy as applications have one before them: it takes a prefix off the path, and may end TLS.

import { createServer, type RequestListener, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** @param target what it serves, as `http://127.0.0.1:3000` */
export async function startProxy(
  target: string,
  {
    prefix,
    keepsHost,
    tls,
  }: {
    /** What it takes off, as `/tools`; anything else it does not serve. */
    prefix: string;
    /** Otherwise it names the target, and says in `X-Forwarded-Host` what the browser asked for. */
    keepsHost: boolean;
    /** Plaintext unless given. */
    tls?: { key: Buffer; cert: Buffer };
  },
) {
  const pass: RequestListener = (asked, answer) => {
    const path = asked.url ?? '';
    if (!path.startsWith(`${prefix}/`)) {
      answer.writeHead(404).end();
      return;
    }
    const forwarded = {
      host: new URL(target).host,
      'x-forwarded-host': asked.headers.host,
      'x-forwarded-proto': tls === undefined ? 'http' : 'https',
      'x-forwarded-for': asked.socket.remoteAddress,
    };
    const headers = { ...asked.headers, ...(keepsHost ? {} : forwarded) };
    const passed = request(target + path.slice(prefix.length), { method: asked.method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    asked.pipe(passed);
  };
  const server = tls === undefined ? createServer(pass) : createTlsServer(tls, pass);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}${prefix}`,
    stop: (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
