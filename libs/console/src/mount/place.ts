// Where in the console a request leads, from the address that the server got.

interface Place {
  /** Below the console, percent-encoded as it arrived; empty without a slash at its end. */
  readonly path: string;
  /** The last part of the address of the console. */
  readonly mountedAs: string | undefined;
}

/**
 * @param url with or without a query
 * @param parts how many of its last parts are below the console
 */
export function placeOf(url: string, parts: number): Place {
  const [whole = ''] = url.split(/[?#]/, 1);
  const hasSlash = whole.endsWith('/');
  const all = whole.split('/').filter((part) => part !== '');
  const mount = all.slice(0, all.length - parts);
  const below = all.slice(all.length - parts);
  const path = below.map((part) => `/${part}`).join('') + (hasSlash ? '/' : '');
  return { path, mountedAs: mount.at(-1) };
}
