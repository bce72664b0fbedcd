// How much room a value takes, as far as it matters.

/** About what a message takes beside its body: its fields, its key, its place in the tree. */
const MESSAGE_BYTES = 512;

/** The room of a value with a body, in itself or in the message that it holds; 0 for any other, which is small. */
export function weightOf(value: unknown): number {
  const { body, message } = (value ?? {}) as { body?: unknown; message?: unknown };
  if (Buffer.isBuffer(body)) return body.length + MESSAGE_BYTES;
  return message === undefined ? 0 : weightOf(message);
}
