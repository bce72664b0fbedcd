// The socket floor by name server: frames of the remoting protocol made beforehand, whose answers are recognized by the begin of their
// headers. It pulls, as the Go client does; the position of a queue goes back with its next pull.

import { openFrames, repeated } from './frame-socket.mjs';

const SEND = 310;
const PULL = 11;
const ROUTE = 105;
const OK = 0;
/** No message is there, or the position is not. */
const PULLED_NOTHING = [19, 20];
const READABLE = 4;
/** Of one pull; the server cuts more. */
const PULLED = '32';
/** The position is stored, the pull waits for messages, the filter is in it. */
const PULL_FLAGS = '7';
const WAIT_MS = '15000';
const HEAD_BYTES = 8;
const LENGTH_BYTES = 4;
const DIGITS = 12;
const ZERO = 0x30;
const BLANK = 0x20;
const OPAQUE = Buffer.from('"opaque":');
const CODE = Buffer.from('"code":');
const NEXT = Buffer.from('"nextBeginOffset":"');

/**
 * @typedef {object} Answer where its header and its body begin, and where it ends
 * @property {number} opaque
 * @property {number} code
 * @property {Buffer} buffer
 * @property {number} header
 * @property {number} body
 * @property {number} end
 *
 * @typedef {(answer: Answer) => void} Reader
 * @typedef {import('../measuring.mjs').Task} Task
 */

/**
 * @param {Task} task
 * @param {(number: number) => void} answered with each answer, the number of its request
 * @param {() => void} wasRead after all answers of one read
 * @returns {Promise<(count: number) => void>} sends so many requests; they are numbered from 0 on
 */
export async function openSender({ endpoints, topic, group, bodyBytes }, answered, wasRead) {
  const { address } = await routeOf(endpoints, topic);
  const calls = await open(address, wasRead);
  const fields = {
    ...{
      a: group,
      b: topic,
      c: 'TBW102',
      d: '4',
      e: '-1',
      f: '0',
      g: String(Date.now()),
      h: '0',
      j: '0',
      k: 'false',
      m: 'false',
    },
    i: `UNIQ_KEY\u0001${'0'.repeat(32)}\u0002WAIT\u0001true\u0002`,
  };
  return calls.repeat(frame(SEND, fields, Buffer.alloc(bodyBytes, 'x')), (answer) => {
    if (answer.code !== OK) throw rejection(answer);
    answered(answer.opaque);
  });
}

/** One pull waits on each queue. @param {Task} task @param {(count: number) => void} pulled */
export async function openDrain({ endpoints, topic, group }, pulled) {
  const { address, queues } = await routeOf(endpoints, topic);
  const calls = await open(address);
  for (let queue = 0; queue < queues; queue++) {
    const position = '0'.repeat(DIGITS);
    const request = frame(PULL, {
      ...{ consumerGroup: group, topic, queueId: String(queue), queueOffset: position, commitOffset: position },
      ...{ maxMsgNums: PULLED, sysFlag: PULL_FLAGS, suspendTimeoutMillis: WAIT_MS },
      ...{ subscription: '*', subVersion: '0', expressionType: 'TAG' },
    });
    const positionsAt = ['"queueOffset":"', '"commitOffset":"'].map((name) => request.indexOf(name) + name.length);
    const pull = () =>
      calls.call(request, (answer) => {
        if (answer.code !== OK && !PULLED_NOTHING.includes(answer.code)) throw rejection(answer);
        const next = numberAfter(NEXT, answer.buffer, answer.header);
        for (const at of positionsAt) writeNumber(request, at, next, ZERO);
        pull();
        if (answer.code === OK) pulled(countOf(answer));
      });
    pull();
  }
}

/** Each stored message begins with its length. @param {Answer} answer */
function countOf({ buffer, body, end }) {
  let count = 0;
  for (let at = body; at < end; at += buffer.readInt32BE(at)) count++;
  return count;
}

/** @param {string} nameServer @param {string} topic @returns {Promise<{ address: string, queues: number }>} of its only broker */
async function routeOf(nameServer, topic) {
  const calls = await open(nameServer);
  /** @type {{ brokerDatas: { brokerAddrs: Record<string, string> }[], queueDatas: { perm: number, readQueueNums: number }[] }} */
  const { brokerDatas, queueDatas } = await new Promise((resolve) => {
    calls.call(frame(ROUTE, { topic, acceptStandardJsonOnly: 'true' }), (answer) => {
      if (answer.code !== OK) throw rejection(answer);
      resolve(JSON.parse(answer.buffer.toString('utf8', answer.body, answer.end)));
    });
  });
  const address = brokerDatas[0]?.brokerAddrs['0'];
  const [queues] = queueDatas.filter(({ perm }) => (perm & READABLE) !== 0);
  if (address === undefined || queues === undefined) throw new Error(`${topic} has no broker`);
  return { address, queues: queues.readQueueNums };
}

/** @param {string} address @param {() => void} [wasRead] */
async function open(address, wasRead = () => {}) {
  /** By opaque. @type {(Reader | undefined)[]} */
  const readers = [];
  const socket = await openFrames(address, (buffer, end) => {
    let at = 0;
    while (end - at >= HEAD_BYTES) {
      const frameEndsAt = at + LENGTH_BYTES + buffer.readInt32BE(at);
      if (frameEndsAt > end) break;
      const header = at + HEAD_BYTES;
      const body = header + buffer.readInt32BE(at + LENGTH_BYTES);
      const opaque = numberAfter(OPAQUE, buffer, header);
      const reader = readers[opaque];
      readers[opaque] = undefined;
      reader?.({ opaque, code: numberAfter(CODE, buffer, header), buffer, header, body, end: frameEndsAt });
      at = frameEndsAt;
    }
    wasRead();
    return at;
  });
  const number = (/** @type {Buffer} */ buffer, /** @type {number} */ at, /** @type {Reader} */ reader) =>
    writeNumber(buffer, at, readers.push(reader) - 1, BLANK);

  return {
    /** @param {Buffer} request from `frame` @param {Reader} reader */
    call(request, reader) {
      number(request, opaqueIn(request), reader);
      socket.write(request);
    },

    /** The same request again and again. @param {Buffer} request from `frame` @param {Reader} reader */
    repeat(request, reader) {
      const opaqueAt = opaqueIn(request);
      return repeated(socket, request, (buffer, at) => number(buffer, at + opaqueAt, reader));
    },
  };
}

/** @param {Answer} answer */
function rejection({ buffer, header, body }) {
  return new Error(`the server rejected: ${buffer.toString('utf8', header, body)}`);
}

/** A request with room for its opaque. @param {number} code @param {Record<string, string>} extFields @param {Buffer} [body] */
function frame(code, extFields, body = Buffer.alloc(0)) {
  const about = { code, extFields, flag: 0, language: 'JAVA', serializeTypeCurrentRPC: 'JSON', version: 401 };
  const header = Buffer.from(`${JSON.stringify(about).slice(0, -1)},${OPAQUE}${' '.repeat(DIGITS)}}`);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeInt32BE(LENGTH_BYTES + header.length + body.length, 0);
  head.writeInt32BE(header.length, LENGTH_BYTES);
  return Buffer.concat([head, header, body]);
}

/** @param {Buffer} request */
function opaqueIn(request) {
  return request.indexOf(OPAQUE) + OPAQUE.length;
}

/** @param {Buffer} name @param {Buffer} buffer @param {number} from @returns {number} the digits behind the name */
function numberAfter(name, buffer, from) {
  let value = 0;
  for (let at = buffer.indexOf(name, from) + name.length; ; at++) {
    const digit = buffer.readUInt8(at) - ZERO;
    if (digit < 0 || digit > 9) return value;
    value = value * 10 + digit;
  }
}

/** @param {Buffer} buffer @param {number} at where its digits begin @param {number} value @param {number} fill what comes before it */
function writeNumber(buffer, at, value, fill) {
  let rest = value;
  for (let index = at + DIGITS - 1; index >= at; index--) {
    buffer[index] = rest > 0 || index === at + DIGITS - 1 ? ZERO + (rest % 10) : fill;
    rest = Math.floor(rest / 10);
  }
}
