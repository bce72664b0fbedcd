// A message as a broker keeps it, in the words of this library.

import { promisify } from 'node:util';
import { unzip } from 'node:zlib';
import { DEFAULT_MAX_UNPACKED_BYTES } from '../protocol/model/limits.js';
import { isReservedProperty } from '../protocol/model/names.js';
import { type StoredMessageFields, SYS_FLAGS } from '../protocol/remoting/stored-message.js';

/** A message where it lies. */
export interface StoredMessageView {
  readonly topic: string;
  /** As the producer made it. Ids are never deduplicated: several messages may have one. */
  readonly messageId: string;
  /** Unpacked, unless `isPacked`. */
  readonly body: Buffer;
  /** The body is still packed: by LZ4 or Zstandard, or to more than 32 MiB, or broken. */
  readonly isPacked: boolean;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  /** What a consumer sees. */
  readonly properties: Readonly<Record<string, string>>;
  /** What the server keeps for itself. */
  readonly systemProperties: Readonly<Record<string, string>>;
  readonly messageGroup: string | undefined;
  readonly priority: number | undefined;
  readonly deliveryTimestampMs: number | undefined;
  /** By the producer's clock. */
  readonly bornTimestampMs: number;
  readonly bornHost: string;
  readonly storeTimestampMs: number;
  readonly storeHost: string;
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  readonly queueOffset: bigint;
  /** How often it was handed out again before it came to lie here. */
  readonly reconsumeTimes: number;
}

/** Names of properties by which the server keeps what a message has. @see MessageConst of the server */
export const PROPERTIES = {
  messageId: 'UNIQ_KEY',
  keys: 'KEYS',
  tag: 'TAGS',
  messageGroup: '__SHARDINGKEY',
  priority: '_SYS_MSG_PRIORITY_',
  bornHost: '__BORNHOST',
  deliveryTimestamp: 'TIMER_DELIVER_MS',
  retryTopic: 'RETRY_TOPIC',
  originGroup: 'ORIGIN_GROUP',
  realTopic: 'REAL_TOPIC',
} as const;

const unpack = promisify(unzip);

/** @param broker the name of the broker that told it */
export async function messageView(stored: StoredMessageFields, broker: string): Promise<StoredMessageView> {
  const { topic, queueId, queueOffset, bornTimestampMs, storeTimestampMs, storeHost, reconsumeTimes } = stored;
  const property = (name: string): string | undefined => stored.properties.get(name);
  const all = [...stored.properties];
  return {
    ...{ topic, broker, queueId, queueOffset, bornTimestampMs, storeTimestampMs, storeHost, reconsumeTimes },
    ...(await bodyOf(stored)),
    messageId: property(PROPERTIES.messageId) ?? '',
    tag: property(PROPERTIES.tag),
    keys: keysOf(stored),
    properties: Object.fromEntries(all.filter(([name]) => !isReservedProperty(name))),
    systemProperties: Object.fromEntries(all.filter(([name]) => isReservedProperty(name))),
    messageGroup: property(PROPERTIES.messageGroup),
    priority: numberOf(property(PROPERTIES.priority)),
    deliveryTimestampMs: numberOf(property(PROPERTIES.deliveryTimestamp)),
    bornHost: property(PROPERTIES.bornHost) ?? stored.bornHost,
  };
}

export function keysOf({ properties }: StoredMessageFields): string[] {
  return (properties.get(PROPERTIES.keys) ?? '').split(' ').filter((key) => key !== '');
}

/** Gzip and zlib, which the flag does not tell apart, are told apart by their first bytes. */
async function bodyOf({ body, sysFlag }: StoredMessageFields): Promise<{ body: Buffer; isPacked: boolean }> {
  if ((sysFlag & SYS_FLAGS.compressed) === 0) return { body, isPacked: false };
  try {
    return { body: await unpack(body, { maxOutputLength: DEFAULT_MAX_UNPACKED_BYTES }), isPacked: false };
  } catch {
    // The view of a message must not fail for its body: it says so instead.
    return { body, isPacked: true };
  }
}

function numberOf(text: string | undefined): number | undefined {
  const value = Number(text);
  return text === undefined || text === '' || !Number.isFinite(value) ? undefined : value;
}
