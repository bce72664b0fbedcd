// Codecs: bodies to bytes and back. message-body.ts validates bodies with the topic's schema.

/** Converts bodies into bytes and back. */
export interface BodyCodec {
  /** Receives whatever is neither bytes nor a string; bytes are sent as they are, strings as UTF-8. */
  encode(body: unknown): Uint8Array;
  /** Throws when the body cannot be decoded; a retry does not help then. */
  decode(bytes: Buffer): unknown;
}

/** JSON in UTF-8; the default. */
export const jsonCodec: BodyCodec = {
  encode(body) {
    const text = JSON.stringify(body);
    if (text === undefined) throw new TypeError(`${typeof body} has no JSON form`);
    return Buffer.from(text, 'utf8');
  },
  decode: (bytes) => JSON.parse(bytes.toString('utf8')),
};

/** For topics whose bodies are strings. */
export const textCodec: BodyCodec = {
  encode(body) {
    throw new TypeError(`the body of a topic with textCodec must be a string, not ${typeof body}`);
  },
  decode: (bytes) => bytes.toString('utf8'),
};

/** For topics whose bodies are bytes; a handler gets a Buffer. */
export const bytesCodec: BodyCodec = {
  encode(body) {
    throw new TypeError(`the body of a topic with bytesCodec must be a Buffer or Uint8Array, not ${typeof body}`);
  },
  decode: (bytes) => bytes,
};
