// Addresses as people write them: `host:port`, several separated by ";". Every option that takes addresses is read here.

import { isIP } from 'node:net';

/** One TCP address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, with brackets around an IPv6 host. */
export function addressText({ host, port }: Address): string {
  // Only IPv6 hosts contain a colon.
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Parses `host:8081`; undefined when it is not an address. */
export function addressIn(part: string): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:\s/]+)):(\d{1,5})$/.exec(part);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || !(port >= 1 && port <= 65_535) ? undefined : { host, port };
}

/**
 * Parses `host:8081;host2:8081`.
 * @param rejected the error for a text, which it may quote as it gets it (see {@link shownAddress}), and for what is wrong with it
 * @param strip takes away what may stand before an address. Default: nothing may
 * @returns at least one
 */
export function readAddresses(
  text: string,
  rejected: (shown: string, problem: string) => Error,
  strip: (part: string) => string = (part) => part,
): readonly Address[] {
  if (text.includes('@')) {
    throw rejected(shownAddress(text), 'an address has no user and password; set `credentials` instead');
  }
  const parts = text
    .split(';')
    .map((part) => strip(part.trim()))
    .filter((part) => part !== '');
  if (parts.length === 0)
    throw rejected(shownAddress(text), 'it is empty; it must be "host:port", or several of them separated by ";"');
  return parts.map((part) => {
    const address = addressIn(part);
    if (address !== undefined) return address;
    const problem = `"${shownAddress(part)}" is not "host:port" with a port from 1 to 65535`;
    throw rejected(shownAddress(text), problem);
  });
}

/** What an address begins with: a scheme, a host, a port. */
const READABLE =
  /^\s*(?:name-server:\s*)?(?:[a-z]+:\/\/)?(?:\[[\da-f:.]*\]|(?:[\da-f]{0,4}:){2,}[\da-f.]*|[\w.-]*)(?::\d*)?(?:\s*$|\/$)?/i;

/**
 * Addresses as an error quotes them: schemes, hosts and ports. Anything else may be the password that somebody put there: before an `@`, in the
 * place of the port, in a path or a query.
 */
export function shownAddress(text: string): string {
  const at = text.lastIndexOf('@');
  const shown = text
    .slice(at + 1)
    .split(';')
    .map((part) => {
      const [readable = ''] = READABLE.exec(part) ?? [];
      return readable.length === part.length ? part : `${readable}…`;
    });
  return `${at === -1 ? '' : '…@'}${shown.join(';')}`;
}

/** The problem of a host to listen on or to be known by; it is not quoted, as an address that was put there may have a password. */
export function hostProblem(host: unknown): string | undefined {
  if (typeof host === 'string' && (/^[\w.-]*$/.test(host) || isIP(host) !== 0)) return undefined;
  return 'must be the name or the IP address of a host, without a port, a user or a password';
}
