// A stored message in the API of this library.

import { promisify } from 'node:util';
import { unzip } from 'node:zlib';
import { DEFAULT_MAX_UNPACKED_BYTES } from '../../protocol/model/limits.js';
import { isServersProperty, MESSAGE_GROUP_PROPERTY } from '../../protocol/model/names.js';
import { dueTimeIn, integerIn } from '../../protocol/remoting/property-values.js';
import { messageIdOf, type StoredMessageFields, SYS_FLAGS } from '../../protocol/remoting/stored-message.js';
import { checkedElsewhere, type OptionChecks } from '../../support/options.js';

/** A stored message. */
export interface StoredMessageView {
  readonly topic: string;
  /**
   * Created by the producer; of a message to which its client gave none, that of this copy (RocketMQ: `offsetMsgId`). Servers do not deduplicate ids: several
   * messages may have the same one.
   */
  readonly messageId: string;
  /** Decompressed, unless `isPacked`. */
  readonly body: Buffer;
  /** The body is still compressed: by LZ4 or Zstandard, to more than 32 MiB when decompressed, or damaged. */
  readonly isPacked: boolean;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  /** The properties that a consumer sees. */
  readonly properties: Readonly<Record<string, string>>;
  /** The properties that the server keeps for itself. */
  readonly systemProperties: Readonly<Record<string, string>>;
  readonly messageGroup: string | undefined;
  readonly priority: number | undefined;
  readonly liteTopic: string | undefined;
  /** When a delayed message is or was due. Of one that was sent with a delay by its client, brokers keep the second before. */
  readonly deliveryTimestampMs: number | undefined;
  /** By the producer's clock. */
  readonly bornTimestampMs: number;
  readonly bornHost: string;
  readonly storeTimestampMs: number;
  readonly storeHost: string;
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  readonly queueOffset: number;
  /** How often it was redelivered before it was stored here. */
  readonly reconsumeTimes: number;
}

/** Every field, for the checks of calls that are given a message of a page. */
export const VIEW_FIELDS: OptionChecks<StoredMessageView> = {
  topic: checkedElsewhere,
  messageId: checkedElsewhere,
  body: checkedElsewhere,
  isPacked: checkedElsewhere,
  tag: checkedElsewhere,
  keys: checkedElsewhere,
  properties: checkedElsewhere,
  systemProperties: checkedElsewhere,
  messageGroup: checkedElsewhere,
  priority: checkedElsewhere,
  liteTopic: checkedElsewhere,
  deliveryTimestampMs: checkedElsewhere,
  bornTimestampMs: checkedElsewhere,
  bornHost: checkedElsewhere,
  storeTimestampMs: checkedElsewhere,
  storeHost: checkedElsewhere,
  broker: checkedElsewhere,
  queueId: checkedElsewhere,
  queueOffset: checkedElsewhere,
  reconsumeTimes: checkedElsewhere,
};

/** Names of the properties in which the server keeps message fields. @see MessageConst of the server */
export const PROPERTIES = {
  messageId: 'UNIQ_KEY',
  keys: 'KEYS',
  tag: 'TAGS',
  messageGroup: MESSAGE_GROUP_PROPERTY,
  priority: '_SYS_MSG_PRIORITY_',
  liteTopic: '__LITE_TOPIC',
  bornHost: '__BORNHOST',
  retryTopic: 'RETRY_TOPIC',
  originGroup: 'ORIGIN_GROUP',
  realTopic: 'REAL_TOPIC',
  dueAt: 'TIMER_OUT_MS',
  canceled: 'TIMER_DEL_UNIQKEY',
  rolls: 'TIMER_ROLL_TIMES',
  firstPop: '1ST_POP_TIME',
} as const;

const unpack = promisify(unzip);

/** @param broker the name of the broker that returned it */
export async function messageView(stored: StoredMessageFields, broker: string): Promise<StoredMessageView> {
  const { topic, queueId, queueOffset, bornTimestampMs, storeTimestampMs, storeHost, reconsumeTimes } = stored;
  const property = (name: string): string | undefined => stored.properties.get(name);
  const all = [...stored.properties];
  return {
    topic,
    broker,
    queueId,
    queueOffset,
    bornTimestampMs,
    storeTimestampMs,
    storeHost,
    reconsumeTimes,
    ...(await bodyOf(stored)),
    messageId: messageIdOf(stored),
    tag: property(PROPERTIES.tag),
    keys: keysOf(stored),
    properties: Object.fromEntries(all.filter(([name]) => !isServersProperty(name))),
    systemProperties: Object.fromEntries(all.filter(([name]) => isServersProperty(name))),
    messageGroup: property(PROPERTIES.messageGroup),
    priority: integerIn(property(PROPERTIES.priority)),
    liteTopic: property(PROPERTIES.liteTopic),
    deliveryTimestampMs: dueTimeIn(stored.properties),
    bornHost: property(PROPERTIES.bornHost) ?? stored.bornHost,
  };
}

export function keysOf({ properties }: StoredMessageFields): string[] {
  return (properties.get(PROPERTIES.keys) ?? '').split(' ').filter((key) => key !== '');
}

/** The flag does not distinguish gzip and zlib; their first bytes do. */
async function bodyOf({ body, sysFlag }: StoredMessageFields): Promise<{ body: Buffer; isPacked: boolean }> {
  if ((sysFlag & SYS_FLAGS.compressed) === 0) return { body, isPacked: false };
  try {
    return { body: await unpack(body, { maxOutputLength: DEFAULT_MAX_UNPACKED_BYTES }), isPacked: false };
  } catch {
    // A damaged body must not make the view fail; `isPacked` reports it.
    return { body, isPacked: true };
  }
}
