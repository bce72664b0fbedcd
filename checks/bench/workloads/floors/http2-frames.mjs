// HTTP/2 as frames made beforehand, with a real preface and settings; of the answers only the heads of the frames are looked at. No
// deadlines, no cancellation, no header is decoded: a floor to compare with, nothing to use.

import { openFrames, repeated } from './frame-socket.mjs';

export const GRPC_HEAD_BYTES = 5;
/** Of a frame. */
export const MAX_DATA_BYTES = 16_384;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const HEAD_BYTES = 9;
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const INITIAL_WINDOW_SIZE = 4;
const DEFAULT_WINDOW_BYTES = 65_535;
const MAX_WINDOW_BYTES = 2 ** 31 - 1;
/** The window of the connection is opened again after so many bytes. */
const WINDOW_STEP_BYTES = 2 ** 30;
/** Fields of HPACK: in the static table, literal with a name of that table, literal and kept; and the first place for what is kept. */
const POST_BY_HTTP = [0x83, 0x86];
const PATH = 0x04;
const KEPT = 0x40;
const AUTHORITY = 1;
const CONTENT_TYPE = 31;
const INDEXED = 0x80;
const FIRST_KEPT = 62;

/**
 * What reads the answer to a call.
 * @typedef {object} Reader
 * @property {(buffer: Buffer, start: number, end: number) => void} data of a frame; valid during the call only
 * @property {(number: number) => void} end
 */

/**
 * @param {string} endpoints @param {Record<string, string>} metadata
 * @param {() => void} [wasRead] called after all answers of one read
 */
export async function open(endpoints, metadata, wasRead = () => {}) {
  /** By the number of their calls. @type {(Reader | undefined)[]} */
  const readers = [];
  let window = DEFAULT_WINDOW_BYTES;
  let received = 0;
  /** Sends what waits for the window. */
  let resume = () => {};
  const fields = fieldsOf(endpoints, metadata);
  const socket = await openFrames(endpoints, (buffer, end) => {
    let at = 0;
    for (let next = frameEnd(buffer, at, end); next !== undefined; next = frameEnd(buffer, at, end)) {
      const type = buffer.readUInt8(at + 3);
      const flags = buffer.readUInt8(at + 4);
      const id = buffer.readInt32BE(at + 5);
      if (type === DATA) {
        received += next - at - HEAD_BYTES;
        readers[id >> 1]?.data(buffer, at + HEAD_BYTES, next);
      } else if (type !== HEADERS) control(type, flags, id, buffer.subarray(at + HEAD_BYTES, next));
      if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) {
        const reader = readers[id >> 1];
        readers[id >> 1] = undefined;
        reader?.end(id >> 1);
      }
      at = next;
    }
    if (received > WINDOW_STEP_BYTES) {
      socket.write(windowUpdate(received));
      received = 0;
    }
    wasRead();
    return at;
  });
  const control = (
    /** @type {number} */ type,
    /** @type {number} */ flags,
    /** @type {number} */ id,
    /** @type {Buffer} */ payload,
  ) => {
    if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0));
    else if (type === PING && (flags & ACK) === 0) socket.write(frame(PING, ACK, 0, payload));
    else if (type === WINDOW_UPDATE && id === 0) {
      window += payload.readUInt32BE(0);
      resume();
    } else if (type === RST_STREAM)
      throw new Error(`the server reset stream ${id} with code ${payload.readUInt32BE(0)}`);
    else if (type === GOAWAY) throw new Error(`the server closes the connection: ${payload.toString('latin1')}`);
  };
  const settings = Buffer.alloc(6);
  settings.writeUInt16BE(INITIAL_WINDOW_SIZE, 0);
  settings.writeUInt32BE(MAX_WINDOW_BYTES, 2);
  const opening = windowUpdate(MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES);
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, settings), opening]));

  /** @param {string} path @param {Buffer} payload @param {Reader} reader @param {number} [flags] */
  const call = (path, payload, reader, flags = END_STREAM) => {
    const id = readers.length * 2 + 1;
    window -= payload.length + GRPC_HEAD_BYTES;
    if (window < 0) throw new Error('the window of the connection is too small for this request');
    socket.write(framesOf(id, id === 1 ? fields.first(path) : fields.again(path), payload, flags));
    readers.push(reader);
  };

  return {
    /** How many calls there were. */
    made: () => readers.length,

    call,

    /** @param {string} path @param {Buffer} payload @returns {Promise<Buffer>} the message of the answer */
    once: (path, payload) =>
      new Promise((resolve) => {
        /** @type {Buffer[]} */
        const parts = [];
        call(path, payload, {
          data: (buffer, start, end) => parts.push(Buffer.from(buffer.subarray(start, end))),
          end: () => resolve(Buffer.concat(parts).subarray(GRPC_HEAD_BYTES)),
        });
      }),

    /** Begins a stream that stays open. @param {string} path @param {Buffer} payload @returns {Promise<void>} with the first answer */
    begin: (path, payload) =>
      new Promise((resolve) => {
        const end = () => {
          throw new Error(`the server ended ${path}`);
        };
        call(path, payload, { data: () => resolve(), end }, 0);
      }),

    /** The same call again and again. @param {string} path @param {Buffer} payload @param {Reader} reader */
    repeat(path, payload, reader) {
      const request = framesOf(0, fields.again(path), payload, END_STREAM);
      const dataBytes = payload.length + GRPC_HEAD_BYTES;
      const dataAt = request.length - dataBytes - HEAD_BYTES;
      const write = repeated(socket, request, (buffer, at) => {
        const id = readers.length * 2 + 1;
        buffer.writeInt32BE(id, at + 5);
        buffer.writeInt32BE(id, at + dataAt + 5);
        readers.push(reader);
      });
      let waiting = 0;
      resume = () => {
        const count = Math.min(waiting, Math.floor(window / dataBytes));
        waiting -= count;
        window -= count * dataBytes;
        write(count);
      };
      return (/** @type {number} */ count) => {
        waiting += count;
        resume();
      };
    },
  };
}

/** @param {Buffer} buffer @param {number} at @param {number} end @returns {number | undefined} undefined when it is not there yet */
function frameEnd(buffer, at, end) {
  if (end - at < HEAD_BYTES) return undefined;
  const frameEndsAt = at + HEAD_BYTES + buffer.readUIntBE(at, 3);
  return frameEndsAt > end ? undefined : frameEndsAt;
}

/** @param {number} type @param {number} flags @param {number} id @param {Uint8Array} [payload] */
function frame(type, flags, id, payload = new Uint8Array()) {
  const bytes = Buffer.alloc(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeInt32BE(id, 5);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/** @param {number} bytes */
function windowUpdate(bytes) {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes, 0);
  return frame(WINDOW_UPDATE, 0, 0, payload);
}

/** @param {number} id @param {Uint8Array} headers @param {Buffer} payload @param {number} flags */
function framesOf(id, headers, payload, flags) {
  const data = Buffer.alloc(GRPC_HEAD_BYTES + payload.length);
  if (data.length > MAX_DATA_BYTES) throw new Error('the socket floor sends bodies of one frame only');
  data.writeUInt32BE(payload.length, 1);
  data.set(payload, GRPC_HEAD_BYTES);
  return Buffer.concat([frame(HEADERS, END_HEADERS, id, headers), frame(DATA, flags, id, data)]);
}

/**
 * The header blocks of all calls: the server keeps the fields of the first one, and all others name them by one byte each.
 * @param {string} endpoints @param {Record<string, string>} metadata
 */
function fieldsOf(endpoints, metadata) {
  /** @type {[string | number, string][]} */
  const fields = [
    [AUTHORITY, endpoints],
    ['te', 'trailers'],
    [CONTENT_TYPE, 'application/grpc'],
    ['grpc-timeout', '1H'],
    ...Object.entries(metadata),
  ];
  const written = fields.map(([name, value]) =>
    Buffer.concat([typeof name === 'number' ? Buffer.from([KEPT | name]) : string([KEPT], name), string([], value)]),
  );
  // The last one that was kept comes first.
  const kept = Buffer.from(fields.map((_, index) => INDEXED | (FIRST_KEPT + fields.length - 1 - index)));
  const start = (/** @type {string} */ path) => string([...POST_BY_HTTP, PATH], path);
  return {
    first: (/** @type {string} */ path) => Buffer.concat([start(path), ...written]),
    again: (/** @type {string} */ path) => Buffer.concat([start(path), kept]),
  };
}

/** @param {readonly number[]} before @param {string} text shorter than 127 bytes */
function string(before, text) {
  return Buffer.concat([Buffer.from([...before, text.length]), Buffer.from(text, 'latin1')]);
}
