// A send without the client's validation.

import type { SystemProperties } from '../../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { codeName } from '../../../libs/rocketmq/src/protocol/grpc/status.js';
import { message, RawClient } from '../../../tools/wire/raw-grpc-client.js';

export interface RawMessage extends Partial<SystemProperties> {
  readonly body?: Buffer;
  readonly properties?: Record<string, string>;
}

/** Sends one message and returns the name of the code in the server's answer. */
export async function rawSend(endpoints: string, topic: string, raw: RawMessage = {}): Promise<string> {
  const { body, properties, ...system } = raw;
  const client = new RawClient(endpoints, 'raw@1@0@a');
  try {
    const base = message(topic, '01AABBCCDDEEFF00000000000000000001', system);
    const sent = { ...base, body: body ?? base.body, userProperties: properties ?? base.userProperties };
    const { status, entries } = await client.call('sendMessage', { messages: [sent] });
    return codeName(entries[0]?.status?.code ?? status?.code ?? 0);
  } finally {
    client.close();
  }
}
