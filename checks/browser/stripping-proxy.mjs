// A reverse proxy as applications have one before them: it takes a prefix off the path, and may end TLS.

import { createServer, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

/**
 * @param {string} target what it serves, as `http://127.0.0.1:3000`
 * @param {object} options
 * @param {string} options.prefix what it takes off, as `/tools`; anything else it does not serve
 * @param {boolean} options.keepsHost otherwise it names the target, and says in `X-Forwarded-Host` what the browser asked for
 * @param {{ key: Buffer, cert: Buffer }} [options.tls] plaintext unless given
 */
export async function startProxy(target, { prefix, keepsHost, tls }) {
  /** @type {import('node:http').RequestListener} */
  const pass = (asked, answer) => {
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
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}${prefix}`,
    /** @returns {Promise<void>} */
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
