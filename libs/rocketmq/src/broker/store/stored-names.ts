// Property names of messages on disk. LMDB's encoding renames a property `__proto__` when it reads it, so that name is stored as one
// that no message can have.

const UNREADABLE = '__proto__';
/** The server rejects control characters in names. */
const WRITTEN = '\u0000__proto__';

/** Converts a value of the store to its form on disk. */
export function toDisk(value: unknown): unknown {
  return renamed(value, UNREADABLE, WRITTEN);
}

/** The reverse of {@link toDisk}. */
export function fromDisk(value: unknown): unknown {
  return renamed(value, WRITTEN, UNREADABLE);
}

/** Renames the property in a message, or in a record that contains one; returns other values unchanged. */
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
