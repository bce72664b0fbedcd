// The requests that store messages, with one message or several.

import type { Message as WireMessage } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingRequest } from '../remoting/remoting-request.js';
import { realTimeIn } from '../support/deadline.js';
import { propertiesOf, sysFlagOf } from './message-properties.js';

/** Which queue of which broker. */
export interface QueuePlace {
  readonly address: string;
  readonly queueId: number;
}

/**
 * With one-letter names, as JSON: it is written for every message, and JSON.stringify would take half as long again.
 * @param properties of all messages of the request
 * @see SendMessageRequestHeaderV2 of the server
 */
function fieldsOf(
  topic: string,
  { queueId }: QueuePlace,
  message: WireMessage,
  properties: string,
  isBatch: boolean,
): string {
  const bornAtMs = message.systemProperties?.bornTimestamp?.getTime() ?? realTimeIn(0).getTime();
  const name = JSON.stringify(topic);
  // A broker could create the topic like the one in c, so c names none other: sends never create one. RocketMQ-Rust rejects an empty name.
  return `{"a":${name},"b":${name},"c":${name},"d":"4","e":"${queueId}","f":"${sysFlagOf(message)}","g":"${bornAtMs}","h":"0","i":${JSON.stringify(properties)},"j":"0","k":"false","m":"${isBatch}"}`;
}

export function single(topic: string, place: QueuePlace, message: WireMessage, delayLevel?: number): RemotingRequest {
  const fields = fieldsOf(topic, place, message, propertiesOf(message, topic, delayLevel), false);
  return { code: REQUEST_CODES.sendMessageV2, fields, body: message.body };
}

/** The header has no properties: brokers before 5.4.0 would add them to every message. */
export function batch(
  topic: string,
  place: QueuePlace,
  messages: readonly WireMessage[],
  first: WireMessage,
): RemotingRequest {
  const fields = fieldsOf(topic, place, first, '', true);
  return { code: REQUEST_CODES.sendBatchMessage, fields, body: batchBody(messages, topic), isBodyFinal: true };
}

/** Of an entry beside its body and properties. */
const ENTRY_BYTES = 22;

/** For each message `int32 size | int32 0 | int32 0 | int32 flag | int32 body size | body | int16 properties size | properties` */
function batchBody(messages: readonly WireMessage[], topic: string): Buffer {
  const entries = messages.map((message) => {
    const { body } = message;
    const properties = propertiesOf(message, topic);
    return { body, properties, bytes: ENTRY_BYTES + body.length + Buffer.byteLength(properties) };
  });
  const whole = Buffer.allocUnsafe(entries.reduce((sum, { bytes }) => sum + bytes, 0));
  let at = 0;
  for (const { body, properties, bytes } of entries) {
    whole.writeInt32BE(bytes, at);
    whole.fill(0, at + 4, at + 16);
    whole.writeInt32BE(body.length, at + 16);
    whole.set(body, at + 20);
    const lengthAt = at + 20 + body.length;
    whole.writeInt16BE(bytes - ENTRY_BYTES - body.length, lengthAt);
    whole.write(properties, lengthAt + 2);
    at += bytes;
  }
  return whole;
}
