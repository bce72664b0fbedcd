// Another client: it stores what a broker accepts and no send of this library does.

import type { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import type { Engine } from '../../libs/rocketmq/src/broker/engine/engine.js';
import { Encoding } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { FOREIGN } from './worker.js';

const LABELS = [
  { tag: 'a||b' },
  { keys: ['one\ttwo'] },
  { properties: { note: 'first line\nsecond line' } },
  { properties: { large: 'x'.repeat(17_000) } },
] as const;

/** Stores a message whose body is its key. Resolves when the broker keeps it. */
export async function storeForeign(broker: EmbeddedBroker, key: string): Promise<void> {
  const { engine } = broker as unknown as { readonly engine: Engine };
  const nowMs = Date.now();
  engine.administration.put(FOREIGN.topic, undefined, {
    messageId: `foreign-${key}`,
    body: Buffer.from(key),
    tag: undefined,
    keys: [],
    properties: {},
    messageGroup: undefined,
    priority: undefined,
    traceContext: undefined,
    ...LABELS[Number(key.slice(1)) % LABELS.length],
    type: 'normal',
    bodyEncoding: Encoding.IDENTITY,
    bornTimestampMs: nowMs,
    bornHost: '10.0.9.9',
    storeTimestampMs: nowMs,
    deliveryTimestampMs: undefined,
    earlierAttempts: 0,
  });
  await broker.inside.store.flush();
}
