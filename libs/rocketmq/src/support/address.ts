// Addresses as people write them: `host:port`, several separated by ";". Every option that takes addresses is read here.

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
 * @param refused the error for a text, which it may quote as it gets it: without a user and password, and for what is wrong with it
 * @param strip takes away what may stand before an address. Default: nothing may
 * @returns at least one
 */
export function readAddresses(
  text: string,
  refused: (shown: string, problem: string) => Error,
  strip: (part: string) => string = (part) => part,
): readonly Address[] {
  if (text.includes('@')) {
    throw refused(withoutUser(text), 'an address has no user and password; set `credentials` instead');
  }
  const parts = text
    .split(';')
    .map((part) => strip(part.trim()))
    .filter((part) => part !== '');
  if (parts.length === 0)
    throw refused(text, 'it is empty; it must be "host:port", or several of them separated by ";"');
  return parts.map((part) => {
    const address = addressIn(part);
    if (address === undefined) throw refused(text, `"${part}" is not "host:port" with a port from 1 to 65535`);
    return address;
  });
}

/** An error must not show the password that somebody put there. */
export function withoutUser(text: string): string {
  const at = text.lastIndexOf('@');
  return at === -1 ? text : `…${text.slice(at)}`;
}
