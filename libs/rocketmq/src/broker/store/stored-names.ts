// Properties of messages on disk. The encoding of LMDB's package reads a name `__proto__` as another one, so it is written as one that
// no message can have.

const UNREADABLE = '__proto__';
/** The server refuses control characters in names. */
const WRITTEN = '\u0000__proto__';

/** A value of the store as it is written. */
export function toDisk(value: unknown): unknown {
  return renamed(value, UNREADABLE, WRITTEN);
}

/** A value of the store as it was before {@link toDisk}. */
export function fromDisk(value: unknown): unknown {
  return renamed(value, WRITTEN, UNREADABLE);
}

/** A message, or a record with a message in it; all others are as they are. */
function renamed(value: unknown, from: string, to: string): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { properties, message } = value as { readonly properties?: unknown; readonly message?: unknown };
  if (typeof message === 'object') {
    const inner = renamed(message, from, to);
    return inner === message ? value : { ...value, message: inner };
  }
  if (typeof properties !== 'object' || properties === null || !Object.hasOwn(properties, from)) return value;
  const entries = Object.entries(properties).map(([name, text]) => [name === from ? to : name, text]);
  return { ...value, properties: Object.fromEntries(entries) };
}
