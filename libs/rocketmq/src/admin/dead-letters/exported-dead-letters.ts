// Dead letters as values of JSON, with all that is needed to send them after the server has deleted them.

import { consumerGroupNameProblem, deadLetterTopicOf, topicNameProblem } from '../../protocol/model/names.js';
import { encodeProperties, type StoredMessageFields, SYS_FLAGS } from '../../protocol/remoting/stored-message.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import {
  anyObject,
  anyString,
  type Check,
  describe,
  faultIn,
  integerFrom,
  nonEmptyString,
  type OptionChecks,
  type OwnChecks,
  rejected,
} from '../../support/options.js';
import type { BrokerFailure } from '../each-broker.js';
import { messageView, PROPERTIES } from '../messages/message-view.js';
import { parsePositions, positionOf } from '../messages/positions.js';
import {
  checkPage,
  chosenOf,
  type DeadLetterPageOptions,
  readPage,
  SELECT_CHECKS,
  type SelectOptions,
  type StoredDeadLetter,
} from './dead-letters.js';

/** A dead letter as a value of JSON. */
export interface ExportedDeadLetter {
  readonly consumerGroup: string;
  /** Where it was stored, as `positionOf()` names it. A replay finds by it what an earlier one has sent. */
  readonly position: string;
  readonly messageId: string;
  /** The topic to which it is sent; undefined when the server did not keep it. */
  readonly originTopic?: string | undefined;
  /** Why it failed, for whoever reads it. It is not sent. */
  readonly reason?: string | undefined;
  /** All of them, as stored: also those of the server, such as `TAGS`, `KEYS` and `__SHARDINGKEY`, the message group. */
  readonly properties: Readonly<Record<string, string>>;
  /** As stored, in base64: compressed if `sysFlag` says so. */
  readonly body: string;
  /** The bits of the server for a compressed body. */
  readonly sysFlag: number;
  readonly flag: number;
  readonly reconsumeTimes: number;
  readonly bornTimestampMs: number;
  readonly bornHost: string;
  readonly storeTimestampMs: number;
  readonly storeHost: string;
}

export interface ExportOptions extends DeadLetterPageOptions, SelectOptions {}

export interface ExportPage {
  /** By broker, queue and offset. */
  readonly exported: readonly ExportedDeadLetter[];
  /** The position of the next page; undefined at the end. */
  readonly next: string | undefined;
  /** Brokers that did not answer; the result lacks their dead letters. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** As many as a page of the queue has at most. */
const MAX_EXPORTED = 100;
/** Of all properties as they are stored. @see MessageDecoder of the server: their length is a short */
const MAX_PROPERTY_BYTES = 32_767;
const COMPRESSION = SYS_FLAGS.compressed | SYS_FLAGS.compressionType;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what separates stored properties
const SEPARATOR = /[\u0001\u0002]/;

export async function exportDeadLetters(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: ExportOptions = {},
): Promise<ExportPage> {
  return cluster.run(
    `export dead letters of ${consumerGroup}`,
    options,
    async (deadline) => {
      checkPage(consumerGroup, options);
      const { letters, next, failures } = await readPage(cluster, consumerGroup, options, deadline);
      const chosen = await chosenOf(letters, options);
      return { exported: chosen.map(exportedOf), next, failures };
    },
    EXPORT_CHECKS,
  );
}

const EXPORT_CHECKS: OwnChecks<ExportOptions> = SELECT_CHECKS;

function exportedOf({ stored, deadLetter }: StoredDeadLetter): ExportedDeadLetter {
  const { consumerGroup, messageId, originTopic } = deadLetter;
  const { flag, sysFlag, reconsumeTimes, bornTimestampMs, bornHost, storeTimestampMs, storeHost } = stored;
  return {
    consumerGroup,
    position: positionOf(deadLetter),
    messageId,
    originTopic,
    properties: Object.fromEntries(stored.properties),
    body: stored.body.toString('base64'),
    sysFlag: sysFlag & COMPRESSION,
    flag,
    reconsumeTimes,
    bornTimestampMs,
    bornHost,
    storeTimestampMs,
    storeHost,
  };
}

const name =
  (problemOf: (text: string) => string | undefined): Check =>
  (value) => {
    const problem = problemOf(value as string);
    return problem && `${describe(value)} ${problem}`;
  };

const position: Check = (value) => {
  try {
    parsePositions(value as string, 'oldest-first');
    return undefined;
  } catch {
    return `must be a position such as "broker-a/0/17", not ${describe(value)}`;
  }
};

const base64: Check = (value) =>
  typeof value === 'string' && value.length % 4 === 0 && /^[A-Za-z\d+/]*={0,2}$/.test(value)
    ? undefined
    : `must be base64${typeof value === 'string' ? '' : `, not ${describe(value)}`}`;

const id: Check = (value) =>
  nonEmptyString(value) ??
  (Buffer.byteLength(value as string) <= MAX_PROPERTY_BYTES && !SEPARATOR.test(value as string)
    ? undefined
    : `must have at most ${MAX_PROPERTY_BYTES} bytes, and no characters that separate stored properties`);

const properties: Check = (value) => {
  const wrong = anyObject(value);
  if (wrong !== undefined) return wrong;
  const all = Object.entries(value as Readonly<Record<string, unknown>>);
  if (all.some(([, text]) => typeof text !== 'string')) return 'must be an object with strings';
  const texts = all as [string, string][];
  if (texts.some(([key, text]) => key === '' || SEPARATOR.test(key) || text.includes('\u0002')))
    return 'must have no empty names, and no characters that separate stored properties';
  const bytes = Buffer.byteLength(encodeProperties(texts));
  return bytes <= MAX_PROPERTY_BYTES ? undefined : `have ${bytes} bytes; ${MAX_PROPERTY_BYTES} are the most`;
};

const time: Check = (value) => (Number.isFinite(value) ? undefined : `must be a number, not ${describe(value)}`);
const bits = integerFrom(-(2 ** 31), 2 ** 32 - 1);

const FIELDS: OptionChecks<ExportedDeadLetter> = {
  consumerGroup: name(consumerGroupNameProblem),
  position,
  messageId: id,
  originTopic: name(topicNameProblem),
  reason: anyString,
  properties,
  body: base64,
  sysFlag: integerFrom(0, COMPRESSION),
  flag: bits,
  reconsumeTimes: bits,
  bornTimestampMs: time,
  bornHost: anyString,
  storeTimestampMs: time,
  storeHost: anyString,
};
const REQUIRED = Object.keys(FIELDS).filter((field) => field !== 'originTopic' && field !== 'reason');

/** What is wrong with a value that should be one, with the name of its field; undefined when it is one. */
export function exportedProblem(value: unknown): string | undefined {
  const wrong = anyObject(value);
  if (wrong !== undefined) return wrong;
  const fault = faultIn(value as object, { options: FIELDS, required: REQUIRED });
  return fault && `${fault.field} ${fault.problem}`;
}

/** As if they were read from their queue. @throws UsageError when one is wrong, or of another group */
export async function storedOf(
  consumerGroup: string,
  exported: readonly ExportedDeadLetter[],
): Promise<readonly StoredDeadLetter[]> {
  if (exported.length > MAX_EXPORTED) throw rejected('exported', `must have at most ${MAX_EXPORTED} dead letters`);
  for (const [index, one] of exported.entries()) {
    const problem = exportedProblem(one);
    if (problem !== undefined) throw rejected(`exported[${index}]`, `is wrong: ${problem}; nothing was sent`);
    if (one.consumerGroup === consumerGroup) continue;
    throw rejected(`exported[${index}]`, `is of group ${one.consumerGroup}, not ${consumerGroup}; nothing was sent`);
  }
  return Promise.all(
    exported.map(async (one) => {
      const { messageId, originTopic } = one;
      const { broker, stored } = fieldsOf(one);
      return { stored, deadLetter: { ...(await messageView(stored, broker)), messageId, consumerGroup, originTopic } };
    }),
  );
}

function fieldsOf(one: ExportedDeadLetter): { readonly broker: string; readonly stored: StoredMessageFields } {
  const { consumerGroup, messageId, flag, sysFlag, reconsumeTimes } = one;
  const { bornTimestampMs, bornHost, storeTimestampMs, storeHost } = one;
  const [place] = parsePositions(one.position, 'oldest-first');
  const { broker = '', queueId = 0, offset: queueOffset = 0 } = place ?? {};
  const stored = {
    topic: deadLetterTopicOf(consumerGroup),
    queueId,
    queueOffset,
    commitLogOffset: 0,
    sysFlag,
    flag,
    bodyCrc: 0,
    bornTimestampMs,
    bornHost,
    storeTimestampMs,
    storeHost,
    reconsumeTimes,
    preparedTransactionOffset: 0,
    body: Buffer.from(one.body, 'base64'),
    properties: new Map(Object.entries(one.properties)).set(PROPERTIES.messageId, messageId),
  };
  return { broker, stored };
}
