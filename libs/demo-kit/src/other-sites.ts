// Who may ask a demo: pages of its own and programs, but no page of another site, however a browser was brought to ask here. The rules
// for Host and Origin are those of the broker's control port; test/control/foreign-callers.spec.ts holds both to them.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';

/** Express middleware. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/**
 * Refuses what a page of another site asks. A foreign name that was made to point here (DNS rebinding) comes as Host: only addresses,
 * `localhost` and the names given are taken. Nothing is allowed across origins.
 */
export function refuseOtherSites(...names: readonly (string | undefined)[]): Middleware {
  const own = names.map((name) => name?.toLowerCase());
  return (request, response, next) => {
    const problem = problemOf(request, own);
    if (problem === undefined) return next();
    const body = { statusCode: 403, error: 'Forbidden', message: problem };
    response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
}

function problemOf({ method, headers }: IncomingMessage, own: readonly (string | undefined)[]): string | undefined {
  const name = nameIn(headers.host ?? '');
  if (name === undefined || !(isIP(name) !== 0 || /(^|\.)localhost$/.test(name) || own.includes(name))) {
    return 'This name is not one of the demo. Ask by its address, by localhost, or by the name in HOST.';
  }
  const isReading = method === 'GET' || method === 'HEAD';
  if (isOtherOrigin(headers) || (!isReading && isFromElsewhere(headers))) {
    return 'Pages of other sites may not use the demo.';
  }
  return undefined;
}

/** Browsers say it with whatever changes something. */
function isOtherOrigin({ origin, host }: IncomingHttpHeaders): boolean {
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
}

/** Browsers say it over TLS and to localhost only. */
function isFromElsewhere({ 'sec-fetch-site': site = 'none' }: IncomingHttpHeaders): boolean {
  return site !== 'none' && site !== 'same-origin';
}

/** The name in a Host header, in small letters, without port and brackets. */
function nameIn(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
