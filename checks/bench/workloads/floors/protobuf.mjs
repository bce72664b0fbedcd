// As much protobuf as the floor loops need: writing a few messages once, walking over received ones without decoding them.

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** @param {number} value @returns {number[]} */
function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 128);
  }
}

/** A field of any integer or enum type. @param {number} field @param {number} value */
export function integer(field, value) {
  return Buffer.from([...varint(field * 8 + VARINT), ...varint(value)]);
}

/** A field that holds bytes. @param {number} field @param {Uint8Array} value */
export function bytes(field, value) {
  return Buffer.concat([Buffer.from([...varint(field * 8 + LENGTH_DELIMITED), ...varint(value.length)]), value]);
}

/** A field that holds text. @param {number} field @param {string} value */
export function text(field, value) {
  return bytes(field, Buffer.from(value));
}

/** A field that holds a message of these fields. @param {number} field @param {...Uint8Array} fields */
export function message(field, ...fields) {
  return bytes(field, Buffer.concat(fields));
}

/**
 * Walks over the fields of a message in `buffer`.
 * @param {Buffer} buffer @param {number} start @param {number} end
 * @param {(field: number, start: number, end: number) => void} visit called for each field with the position of its content if
 *   it is length-delimited, otherwise with the position of the field
 */
export function walk(buffer, start, end, visit) {
  let at = start;
  const readVarint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = buffer.readUInt8(at++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < end) {
    const tag = readVarint();
    const kind = tag & 7;
    const from = at;
    if (kind === LENGTH_DELIMITED) {
      const length = readVarint();
      const content = at;
      at += length;
      visit(tag >>> 3, content, at);
    } else {
      if (kind === VARINT) readVarint();
      else at += kind === 1 ? 8 : 4;
      visit(tag >>> 3, from, at);
    }
  }
}
