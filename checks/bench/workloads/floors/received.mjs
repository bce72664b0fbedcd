// What the floor loops do with a message that they receive: they read all of it, as whoever hands it over must. By protobufjs,
// which writes a decoder for each message when it is first used.

import { join } from 'node:path';
import protobuf from 'protobufjs';
import { message, text } from './protobuf.mjs';

/** @typedef {{ systemProperties: { messageId: string, receiptHandle: string } }} Received a message */

const PROTO = join(import.meta.dirname, '..', '..', '..', '..', 'libs', 'rocketmq', 'proto');

const root = new protobuf.Root();
root.resolvePath = (/** @type {string} */ _, /** @type {string} */ target) => join(PROTO, target);
const Response = root
  .loadSync('apache/rocketmq/v2/service.proto')
  .lookupType('apache.rocketmq.v2.ReceiveMessageResponse');

/**
 * @param {Buffer} response a ReceiveMessageResponse
 * @returns {Received | null} its message, decoded; null when it holds none
 */
export function messageOf(response) {
  const { message: received } = /** @type {import('protobufjs').Message & { message: Received | null }} */ (
    Response.decode(response)
  );
  return received;
}

/** The AckMessageEntry for a decoded message. @param {Received} received @returns {Buffer} */
export function ackEntryOf({ systemProperties: { messageId, receiptHandle } }) {
  return message(3, text(1, messageId), text(2, receiptHandle));
}
