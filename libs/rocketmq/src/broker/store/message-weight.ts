// Estimates the size of stored values.

/** Approximate size of a message without its body: its fields, its key, its tree node. */
const MESSAGE_BYTES = 512;

/** The size of a value that is a message or contains one; 0 for any other value, which is small. */
export function weightOf(value: unknown): number {
  const { body, message } = (value ?? {}) as { body?: unknown; message?: unknown };
  if (Buffer.isBuffer(body)) return body.length + MESSAGE_BYTES;
  return message === undefined ? 0 : weightOf(message);
}
