// Rejects requests that a page of another site makes a browser send. The control port serves programs on this machine, not pages.

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ControlRejection } from './control-rejection.js';

/** Permits nothing across origins. @throws ControlRejection */
export function assertLocalCaller({ headers }: IncomingMessage, ownNames: readonly string[]): void {
  const foreign = foreignHeader(headers, ownNames);
  if (foreign === 'host') {
    const message = 'unknown host name; use the IP address of the broker, localhost, or the name of its option host';
    throw new ControlRejection(403, 'FOREIGN_HOST', message);
  }
  if (foreign === 'origin') {
    throw new ControlRejection(403, 'FOREIGN_ORIGIN', 'pages of other origins cannot use the control port');
  }
}

/**
 * Finds the header that shows that a page of another site sent a request, by the rules of the control port. An application with a
 * page of its own that uses a `ControlClient` applies them to its requests, so that other sites cannot reach the broker through it.
 *
 * `host` must be an IP address, `localhost`, a name below `localhost`, or one of `ownNames`: with DNS rebinding, requests arrive with
 * a foreign name that resolves to this machine. `origin` must be the requested host; programs do not send it.
 * @param headers as in `node:http`
 * @param ownNames further names of the server, without a port; case is ignored
 * @returns undefined if the request can be served
 */
export function foreignHeader(
  { host = '', origin }: { readonly host?: string; readonly origin?: string },
  ownNames: readonly string[],
): 'host' | 'origin' | undefined {
  const name = nameIn(host);
  if (name === undefined || !isTrusted(name, ownNames)) return 'host';
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}` ? undefined : 'origin';
}

function isTrusted(name: string, ownNames: readonly string[]): boolean {
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
  return ownNames.some((ownName) => ownName.toLowerCase() === name);
}

/** The name in a Host header, in lower case, without port and brackets. */
function nameIn(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
