// Who may ask the control port at all: programs on this machine, and no page of a browser that was lured here.

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ControlRefusal } from './control-refusal.js';

/**
 * A page of a foreign name that was made to point here would ask with that name as Host: only addresses, `localhost` and the broker's
 * own names are taken. Nothing is ever allowed across origins.
 * @throws ControlRefusal
 */
export function assertLocalCaller({ headers }: IncomingMessage, ownNames: readonly string[]): void {
  const host = nameIn(headers.host ?? '');
  if (host === undefined || !isTrusted(host, ownNames)) {
    const message =
      'this name is not one of the broker; ask by its address, by localhost, or by the host it was told to listen on';
    throw new ControlRefusal(403, 'FOREIGN_HOST', message);
  }
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${headers.host}` && origin !== `https://${headers.host}`) {
    throw new ControlRefusal(403, 'FOREIGN_ORIGIN', 'pages of other origins may not use the control port');
  }
}

function isTrusted(name: string, ownNames: readonly string[]): boolean {
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || ownNames.includes(name);
}

/** The name in a Host header, in small letters, without port and brackets. */
function nameIn(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
