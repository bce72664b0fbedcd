// The socket floor by a proxy: gRPC on frames made beforehand. Of a received message only the receipt handle is read.

import { GRPC_HEAD_BYTES, MAX_DATA_BYTES, open } from './http2-frames.mjs';
import { walk } from './protobuf.mjs';
import * as requests from './requests.mjs';

/** Polls side by side, as those of floor.mjs. */
const RECEIVERS = 4;
/** Of a ReceiveMessageResponse, its message, and the system properties of that. */
const MESSAGE = 2;
const SYSTEM_PROPERTIES = 3;
const MESSAGE_ID = 3;
const RECEIPT_HANDLE = 12;
/** Tags of an AckMessageRequest and its entries. */
const ENTRY = 0x1a;
const ENTRY_MESSAGE_ID = 0x0a;
const ENTRY_RECEIPT_HANDLE = 0x12;

/** @typedef {import('../measuring.mjs').Task} Task */

/**
 * @param {Task} task
 * @param {(number: number) => void} answered with each answer, the number of its request
 * @param {() => void} wasRead after all answers of one read
 * @returns {Promise<(count: number) => void>} sends so many requests; they are numbered from 0 on
 */
export async function openSender({ endpoints, topic, bodyBytes }, answered, wasRead) {
  const calls = await open(endpoints, metadata(), wasRead);
  const request = requests.sendRequest({ topic, body: Buffer.alloc(bodyBytes, 'x') });
  requests.assertOk(await calls.once(requests.PATHS.send, request));
  const first = calls.made();
  let stored = 0;
  let ended = 0;
  return calls.repeat(requests.PATHS.send, request, {
    data(buffer, start) {
      requests.assertOk(buffer, start + GRPC_HEAD_BYTES);
      stored++;
    },
    end(number) {
      ended++;
      if (ended > stored) throw new Error('the server answered a send without a message');
      answered(number - first);
    },
  });
}

/** Each poll is acked by one request, and the next poll begins beside it. @param {Task} task @param {(count: number) => void} acked */
export async function openDrain(task, acked) {
  const calls = await open(task.endpoints, metadata());
  await calls.begin(requests.PATHS.telemetry, requests.consumerSettings(task));
  const queue = requests.firstQueue(await calls.once(requests.PATHS.assignment, requests.assignmentRequest(task)));
  const request = requests.receiveRequest({ group: task.group, queue });
  const head = requests.ackHead(task);
  const receive = () => {
    const ack = new AckRequest(head);
    let isAnswered = false;
    calls.call(requests.PATHS.receive, request, {
      data: messages((buffer, start, end) => {
        isAnswered = true;
        ack.add(buffer, start, end);
      }),
      end() {
        if (!isAnswered) throw new Error('the server answered a poll without a message');
        receive();
        if (ack.entries === 0) return;
        calls.call(requests.PATHS.ack, ack.bytes(), {
          data: (buffer, start) => requests.assertOk(buffer, start + GRPC_HEAD_BYTES),
          end: () => acked(ack.entries),
        });
      },
    });
  };
  for (let started = 0; started < RECEIVERS; started++) receive();
}

const metadata = () => requests.metadataOf(`bench@${process.pid}@0@${Date.now().toString(36)}`);

/** Finds the messages in the data of one answer. @param {(buffer: Buffer, start: number, end: number) => void} onMessage */
function messages(onMessage) {
  /** @type {Buffer | undefined} */
  let rest;
  return (/** @type {Buffer} */ buffer, /** @type {number} */ from, /** @type {number} */ to) => {
    const data = rest === undefined ? buffer : Buffer.concat([rest, buffer.subarray(from, to)]);
    let at = rest === undefined ? from : 0;
    const end = rest === undefined ? to : data.length;
    while (end - at >= GRPC_HEAD_BYTES) {
      const start = at + GRPC_HEAD_BYTES;
      const next = start + data.readUInt32BE(at + 1);
      if (next > end) break;
      onMessage(data, start, next);
      at = next;
    }
    rest = at < end ? Buffer.from(data.subarray(at, end)) : undefined;
  };
}

/** An AckMessageRequest for the messages of one poll, whose receipt handles are all that is read of them. */
class AckRequest {
  entries = 0;
  #bytes = Buffer.allocUnsafe(MAX_DATA_BYTES);
  #end;

  /** @param {Buffer} head of `requests.ackHead` */
  constructor(head) {
    this.#end = head.copy(this.#bytes);
  }

  /** @param {Buffer} buffer with a ReceiveMessageResponse @param {number} start @param {number} end */
  add(buffer, start, end) {
    let [idAt, idEnd, handleAt, handleEnd] = [0, 0, 0, 0];
    walk(buffer, start, end, (field, messageAt, messageEnd) => {
      if (field !== MESSAGE) return;
      walk(buffer, messageAt, messageEnd, (part, partAt, partEnd) => {
        if (part !== SYSTEM_PROPERTIES) return;
        walk(buffer, partAt, partEnd, (property, from, to) => {
          if (property === MESSAGE_ID) [idAt, idEnd] = [from, to];
          else if (property === RECEIPT_HANDLE) [handleAt, handleEnd] = [from, to];
        });
      });
    });
    if (handleEnd === 0) return;
    const [idBytes, handleBytes] = [idEnd - idAt, handleEnd - handleAt];
    this.entries++;
    this.#length(ENTRY, fieldBytes(idBytes) + fieldBytes(handleBytes));
    this.#length(ENTRY_MESSAGE_ID, idBytes);
    this.#end += buffer.copy(this.#bytes, this.#end, idAt, idEnd);
    this.#length(ENTRY_RECEIPT_HANDLE, handleBytes);
    this.#end += buffer.copy(this.#bytes, this.#end, handleAt, handleEnd);
  }

  bytes() {
    return this.#bytes.subarray(0, this.#end);
  }

  /** @param {number} tag @param {number} bytes */
  #length(tag, bytes) {
    this.#bytes[this.#end++] = tag;
    if (bytes > 127) this.#bytes[this.#end++] = (bytes & 127) | 128;
    this.#bytes[this.#end++] = bytes > 127 ? bytes >> 7 : bytes;
  }
}

/** With tag and length. @param {number} bytes */
function fieldBytes(bytes) {
  return bytes + (bytes > 127 ? 3 : 2);
}
