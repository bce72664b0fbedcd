// Bodies and their bytes. The checks of a topic's schema are in message-body.ts.

/** Turns bodies into bytes and back. */
export interface BodyCodec {
  /** Gets whatever is neither bytes nor a string; those are sent as they are, strings as UTF-8. */
  encode(body: unknown): Uint8Array;
  /** What it throws says that the body cannot be decoded; no retry helps then. */
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
    throw new TypeError(`a text body must be a string, not ${typeof body}`);
  },
  decode: (bytes) => bytes.toString('utf8'),
};

/** For topics whose bodies are bytes; a handler gets a Buffer. */
export const bytesCodec: BodyCodec = {
  encode(body) {
    throw new TypeError(`a bytes body must be a Buffer or Uint8Array, not ${typeof body}`);
  },
  decode: (bytes) => bytes,
};
