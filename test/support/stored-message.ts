// A message as the engine of the embedded broker stores it: for specs that put one there without a client.

import type { StoredMessage } from '../../libs/rocketmq/src/broker/engine/records.js';

export function storedMessage(messageId: string, fields: Partial<StoredMessage> = {}): StoredMessage {
  return {
    messageId,
    type: 'normal',
    body: Buffer.from(messageId),
    bodyEncoding: 1,
    tag: undefined,
    keys: [],
    properties: {},
    messageGroup: undefined,
    priority: undefined,
    traceContext: undefined,
    bornTimestampMs: 0,
    bornHost: 'spec',
    storeTimestampMs: 0,
    deliveryTimestampMs: undefined,
    earlierAttempts: 0,
    ...fields,
  };
}
