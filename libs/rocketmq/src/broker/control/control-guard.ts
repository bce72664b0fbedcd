// Refuses requests that a web page of another site makes a browser send. The control port serves programs on this machine, and no page.

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ControlRefusal } from './control-refusal.js';

/** Nothing is allowed across origins. @throws ControlRefusal */
export function assertLocalCaller({ headers }: IncomingMessage, ownNames: readonly string[]): void {
  const foreign = foreignHeader(headers, ownNames);
  if (foreign === 'host') {
    const message =
      'this name is not one of the broker; ask by its address, by localhost, or by the host it was told to listen on';
    throw new ControlRefusal(403, 'FOREIGN_HOST', message);
  }
  if (foreign === 'origin') {
    throw new ControlRefusal(403, 'FOREIGN_ORIGIN', 'pages of other origins may not use the control port');
  }
}

/**
 * Finds the header that shows that a page of another site sent a request, by the rules of the control port. An application whose own
 * page uses a `ControlClient` applies them to its requests, so that other sites cannot reach the broker through it.
 *
 * `host` must be an address, `localhost`, a name below `localhost`, or one of `ownNames`: with DNS rebinding, a foreign name that
 * resolves to this machine arrives there. `origin` must be the host that was requested; programs send none.
 * @param headers as `node:http` has them
 * @param ownNames further names of the server, without a port; case is ignored
 * @returns undefined for a request that may be served
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
