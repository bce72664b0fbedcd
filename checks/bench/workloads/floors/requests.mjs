// The requests of the floor loops, as bytes: made once, sent many times. Field numbers are those of definition.proto and
// service.proto.

import { bytes, integer, message, text, walk } from './protobuf.mjs';

const SERVICE = '/apache.rocketmq.v2.MessagingService/';
export const PATHS = {
  send: `${SERVICE}SendMessage`,
  receive: `${SERVICE}ReceiveMessage`,
  ack: `${SERVICE}AckMessage`,
  assignment: `${SERVICE}QueryAssignment`,
  telemetry: `${SERVICE}Telemetry`,
};

const NORMAL = 1;
const DELAY = 3;
const IDENTITY = 1;
const PUSH_CONSUMER = 2;
const TAG_FILTER = 1;
const IPV4 = 1;
const LEASE_SECONDS = 60;
const POLL_SECONDS = 10;
/** Of one poll; the server cuts more. */
const RECEIVE_BATCH = 32;

/** What every request carries. @param {string} clientId */
export function metadataOf(clientId) {
  return {
    'x-mq-client-id': clientId,
    'x-mq-language': 'NODE_JS',
    'x-mq-protocol': 'v2',
    'x-mq-client-version': '5.0.8',
  };
}

const resource = (/** @type {string} */ name) => text(2, name);

/**
 * A SendMessageRequest.
 * @param {{ topic: string, body: Uint8Array, perRequest?: number, firstId?: number, dueFromMs?: number }} options messages have ids from
 *   `firstId` on, and with `dueFromMs` are delayed until that time and a millisecond more for each id
 */
export function sendRequest({ topic, body, perRequest = 1, firstId = 0, dueFromMs }) {
  const messages = Array.from({ length: perRequest }, (_, index) => {
    const system = message(
      3,
      text(3, `01${(firstId + index).toString(16).padStart(32, '0').toUpperCase()}`),
      integer(5, IDENTITY),
      integer(6, dueFromMs === undefined ? NORMAL : DELAY),
      message(7, integer(1, Math.floor(Date.now() / 1000))),
      text(8, 'bench'),
      ...(dueFromMs === undefined ? [] : [dueAt(dueFromMs + firstId + index)]),
    );
    return message(1, message(1, resource(topic)), system, bytes(4, body));
  });
  return Buffer.concat(messages);
}

/** @param {number} ms */
function dueAt(ms) {
  return message(11, integer(1, Math.floor(ms / 1000)), integer(2, (ms % 1000) * 1_000_000));
}

/** A TelemetryCommand with the settings of a push consumer. @param {{ topic: string, group: string }} names */
export function consumerSettings({ topic, group }) {
  const filter = message(2, integer(1, TAG_FILTER), text(2, '*'));
  const subscription = message(6, message(1, resource(group)), message(2, message(1, resource(topic)), filter));
  const agent = message(7, integer(1, 8), text(2, '5.0.8'));
  return message(2, integer(1, PUSH_CONSUMER), message(4, integer(1, 3)), subscription, agent);
}

/** A QueryAssignmentRequest. @param {{ topic: string, group: string, endpoints: string }} names */
export function assignmentRequest({ topic, group, endpoints }) {
  const [host = '', port] = endpoints.split(':');
  const address = message(2, text(1, host), integer(2, Number(port)));
  return Buffer.concat([
    message(1, resource(topic)),
    message(2, resource(group)),
    message(3, integer(1, IPV4), address),
  ]);
}

/** The MessageQueue of the first assignment in a QueryAssignmentResponse. @param {Buffer} response */
export function firstQueue(response) {
  /** @type {Buffer[]} */
  const queues = [];
  walk(response, 0, response.length, (field, start, end) => {
    if (field !== 2) return;
    walk(response, start, end, (inner, from, to) => {
      if (inner === 1) queues.push(response.subarray(from, to));
    });
  });
  const [queue] = queues;
  if (queue === undefined) throw new Error('the server assigned no queue');
  return queue;
}

/** A ReceiveMessageRequest whose messages are leased, and not renewed by the server. @param {{ group: string, queue: Buffer }} from */
export function receiveRequest({ group, queue }) {
  return Buffer.concat([
    message(1, resource(group)),
    bytes(2, queue),
    message(3, integer(1, TAG_FILTER), text(2, '*')),
    integer(4, RECEIVE_BATCH),
    message(5, integer(1, LEASE_SECONDS)),
    message(7, integer(1, POLL_SECONDS)),
  ]);
}

/** An AckMessageRequest of entries that `ackEntryOf` made. @param {Buffer} head @param {readonly Buffer[]} entries */
export function ackRequest(head, entries) {
  return Buffer.concat([head, ...entries]);
}

/** What stands before the entries of an AckMessageRequest. @param {{ topic: string, group: string }} names */
export function ackHead({ topic, group }) {
  return Buffer.concat([message(1, resource(group)), message(2, resource(topic))]);
}

/** Throws unless a response begins with a status of code OK (20000), in all its bytes. @param {Buffer} response @param {number} [start] */
export function assertOk(response, start = 0) {
  // Field 1, a message; in it field 1, an integer of 20000.
  const at = start + 2;
  const isOk =
    response[start] === 0x0a &&
    response[at] === 0x08 &&
    response[at + 1] === 0xa0 &&
    response[at + 2] === 0x9c &&
    response[at + 3] === 0x01;
  if (!isOk) throw new Error(`the server rejected: ${response.subarray(start, start + 200).toString('latin1')}`);
}
