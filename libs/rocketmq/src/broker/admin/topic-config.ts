// Converts a topic to and from the format of the remoting protocol.

import { LIMITS } from '../../protocol/model/limits.js';
import { TOPIC_TYPES, type TopicType } from '../../protocol/model/message.js';
import { topicNameProblem } from '../../protocol/model/names.js';
import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { isIntegerFrom } from '../../support/options.js';
import type { TopicAlteration } from '../engine/registry.js';
import type { TopicRecord } from '../store/records.js';
import { AdminRejection, rejected } from './admin-answer.js';

const READ_WRITE = 6;
/** The additional permission to create other topics with its settings (PERM_INHERIT). */
const READ_WRITE_INHERIT = 7;
const TYPE_ATTRIBUTE = '+message.type=';

export interface TopicConfig {
  readonly topicName: string;
  readonly readQueueNums: number;
  readonly writeQueueNums: number;
  readonly perm: number;
  readonly topicFilterType: string;
  readonly topicSysFlag: number;
  readonly order: boolean;
  readonly attributes: Readonly<Record<string, string>>;
}

/** One of the server's own topics. */
export function systemTopicConfig(name: string, queues: number): TopicConfig {
  return { ...topicConfigOf({ name, type: undefined, queues }), perm: READ_WRITE_INHERIT };
}

/** The answer to request code 351. @see TopicConfig of the server */
export function topicConfigOf({ name, type, queues }: TopicRecord): TopicConfig {
  return {
    topicName: name,
    readQueueNums: queues,
    writeQueueNums: queues,
    perm: READ_WRITE,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes: type === undefined ? {} : { 'message.type': type.toUpperCase() },
  };
}

/** The answer to request code 105. @see TopicRouteData of the server */
export function topicRouteOf(
  { perm, readQueueNums, writeQueueNums, topicSysFlag }: TopicConfig,
  broker: { name: string; cluster: string; address: string },
): object {
  const { name: brokerName, cluster, address } = broker;
  return {
    brokerDatas: [{ brokerName, cluster, brokerAddrs: { 0: address }, enableActingMaster: false }],
    queueDatas: [{ brokerName, perm, readQueueNums, writeQueueNums, topicSysFlag }],
    filterServerTable: {},
  };
}

/** The topic of request code 17. @throws AdminRejection for settings that this broker does not support */
export function topicAlterationOf({ fields }: RemotingFrame): TopicAlteration {
  const name = topicNameOf(fields);
  const readQueues = queuesOf(name, 'readQueueNums', fields.readQueueNums);
  const queues = queuesOf(name, 'writeQueueNums', fields.writeQueueNums);
  if (readQueues !== queues) {
    throw rejected(
      `topic ${name}: the embedded broker requires equal numbers of read and write queues, not ${readQueues} and ${queues}`,
    );
  }
  if (fields.perm !== undefined && fields.perm !== String(READ_WRITE)) {
    throw rejected(
      `topic ${name}: topics of the embedded broker always have perm 6 (read and write), not ${fields.perm}`,
    );
  }
  return { name, queues, type: typeOf(name, fields.attributes) };
}

/** The validated topic name of a request. */
export function topicNameOf(fields: RemotingFrame['fields']): string {
  const name = fields.topic ?? '';
  const problem = topicNameProblem(name);
  if (problem === undefined) return name;
  throw new AdminRejection(RESPONSE_CODES.invalidParameter, `The specified topic "${name}" ${problem}`);
}

function queuesOf(topic: string, field: string, text: string | undefined): number {
  const queues = Number(text);
  if (isIntegerFrom(queues, 1, LIMITS.topicQueues)) return queues;
  throw rejected(`topic ${topic}: ${field} must be an integer from 1 to ${LIMITS.topicQueues}, not ${text}`);
}

/** Undefined when the request contains no type. */
function typeOf(topic: string, attributes: string | undefined): TopicType | undefined {
  if (attributes === undefined || attributes === '') return undefined;
  const text = attributes.startsWith(TYPE_ATTRIBUTE) ? attributes.slice(TYPE_ATTRIBUTE.length) : undefined;
  const type = TOPIC_TYPES.find((known) => known.toUpperCase() === text);
  if (type !== undefined) return type;
  const known = TOPIC_TYPES.map((one) => one.toUpperCase()).join(', ');
  throw rejected(`topic ${topic}: attributes must be ${TYPE_ATTRIBUTE} with one of ${known}, not "${attributes}"`);
}
