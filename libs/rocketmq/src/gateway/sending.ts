// Stores messages on brokers, and recalls delayed ones.

import { crc32 } from 'node:zlib';
import {
  Code,
  Encoding,
  type Status,
  type Message as WireMessage,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse, SentEntry } from '../protocol/grpc/rpc.js';
import { unpackBody } from '../protocol/model/body-encoding.js';
import type { LevelChoice } from '../protocol/model/delay-chain.js';
import { DEFAULT_MAX_UNPACKED_BYTES, LIMITS } from '../protocol/model/limits.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { integerIn } from '../protocol/remoting/property-values.js';
import { releaseName } from '../protocol/remoting/releases.js';
import { offsetInMessageId } from '../protocol/remoting/stored-message.js';
import { offsetOf, settingIn } from '../remoting/answers.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import { type Deadline, realTimeIn } from '../support/deadline.js';
import { abilitiesOf, type BrokerAbilities, FIRST_WITH } from './broker-release.js';
import { chained, DelayChain, type Hop } from './delay-chain.js';
import type { DelayLevels } from './delay-levels.js';
import { isHalf } from './message-properties.js';
import { batch, type QueuePlace, single } from './send-requests.js';
import { notSent, rejection, sendStatusOf, statusOf } from './statuses.js';
import type { Topics } from './topics.js';
import type { HalfMessages } from './transactions.js';

/** What a message needs of the broker that stores it. */
const NEEDS = [
  { property: 'priority', ability: 'prioritizes', what: 'a message with a priority', first: FIRST_WITH.priority },
  { property: 'liteTopic', ability: 'hasLiteTopics', what: 'a message of a lite topic', first: FIRST_WITH.liteTopics },
] as const;

/** What the messages of a request need of the broker. */
interface Needs {
  /** When it is to be delivered, and when it was sent first. */
  readonly delay: { readonly dueAtMs: number; readonly bornAtMs: number } | undefined;
  readonly delayLevels: LevelChoice;
  readonly properties: readonly (typeof NEEDS)[number][];
  readonly bodyBytes: number;
  readonly checks: boolean;
}

type Answer = RpcResponse<'sendMessage'>;

/** The messages of one request, which has at least one. */
interface Sent {
  readonly topic: string;
  readonly messages: readonly WireMessage[];
  readonly first: WireMessage;
  /** For a broker that knows no times; 0 for none. */
  readonly delayLevel?: number | undefined;
}

/** The sends of one client. */
export class Sending {
  private readonly chain: DelayChain;
  /** Where the last request of several messages went, by broker and topic. */
  private readonly lastQueues = new Map<string, number>();

  constructor(
    private readonly client: RemotingClient,
    private readonly topics: Topics,
    private readonly halfMessages: HalfMessages,
    private readonly delayLevels: DelayLevels,
  ) {
    this.chain = new DelayChain(topics);
  }

  /**
   * @param delayLevels what is done with a delay that is no level, at a broker that delays by levels
   * @throws TransportError (not-sent) at once while the topic stores no messages
   */
  send(
    address: string,
    { messages }: RpcRequest<'sendMessage'>,
    deadline: Deadline,
    delayLevels: LevelChoice,
  ): Promise<Answer> {
    const [first] = messages;
    if (first === undefined) return rejected(Code.MESSAGE_CORRUPTED, 'no message to send');
    const topic = topicOf(first);
    if (messages.length > 1 && messages.some((message) => topicOf(message) !== topic)) {
      return rejected(Code.MESSAGE_CORRUPTED, 'the messages are of several topics');
    }
    this.topics.assertStoresMessages(topic);
    const properties = NEEDS.filter(({ property }) => first.systemProperties?.[property] !== undefined);
    const delay = delayOf(first);
    const sent = { topic, messages, first };
    const own = first.systemProperties?.queueId ?? 0;
    const place = { address, queueId: messages.length === 1 ? own : this.sharedQueue(address, topic, messages) };
    const bodyBytes = messages.reduce((sum, { body }) => sum + body.length, 0);
    // Most messages wait for nothing but their answer.
    const checks = isHalf(first);
    if (properties.length === 0 && delay === undefined && bodyBytes <= LIMITS.bodyBytes && !checks) {
      return this.store(place, sent, deadline);
    }
    const needs = { delay, delayLevels, properties, bodyBytes, checks };
    if (checks && first.systemProperties?.bodyEncoding === Encoding.GZIP) {
      return this.storePackedHalf(place, needs, sent, deadline);
    }
    return this.storeIfAble(place, needs, sent, deadline);
  }

  /**
   * Messages that share a request share a queue: of theirs, the next one after that of the last request. Not that of the first: where as many
   * are sent at a time as the topic has queues, the first one always has the same.
   */
  private sharedQueue(address: string, topic: string, messages: readonly WireMessage[]): number {
    const key = `${address} ${topic}`;
    const last = this.lastQueues.get(key) ?? -1;
    const queues = messages.map(({ systemProperties }) => systemProperties?.queueId ?? 0);
    const later = queues.filter((queueId) => queueId > last);
    const next = Math.min(...(later.length > 0 ? later : queues));
    this.lastQueues.set(key, next);
    return next;
  }

  /**
   * An old broker that checks it would store it again decompressed, but marked as compressed. Consumers could not read it, and the broker
   * itself fails to, so that it checks no transaction any more.
   */
  private async storePackedHalf(place: QueuePlace, needs: Needs, sent: Sent, deadline: Deadline): Promise<Answer> {
    const release = await this.client.releaseAt(place.address, deadline).catch(notSent);
    if (abilitiesOf(release).keepsPackedHalves) return this.storeIfAble(place, needs, sent, deadline);
    const { first } = sent;
    const body = await unpackBody(first.body, DEFAULT_MAX_UNPACKED_BYTES);
    const message = { ...first, body };
    if (first.systemProperties !== undefined)
      message.systemProperties = { ...first.systemProperties, bodyEncoding: Encoding.IDENTITY };
    const plain = { ...sent, messages: [message], first: message };
    return this.storeIfAble(place, { ...needs, bodyBytes: body.length }, plain, deadline);
  }

  /** Stores the messages if the broker can treat them as asked. */
  private async storeIfAble(place: QueuePlace, needs: Needs, sent: Sent, deadline: Deadline): Promise<Answer> {
    const lacking = await this.lacking(needs, place.address, deadline).catch(notSent);
    if (lacking !== undefined) return { status: lacking, entries: [] };
    const hop = await this.hop(needs, place.address, deadline).catch(notSent);
    if (hop !== undefined && 'code' in hop) return { status: hop, entries: [] };
    const { delayLevels } = needs;
    if (hop?.isLast !== false || typeof delayLevels !== 'object') {
      return this.store(place, { ...sent, delayLevel: hop?.level }, deadline);
    }
    const { topic } = delayLevels;
    const waiting = await this.chain.placeNear(place.address, topic, deadline).catch(notSent);
    if ('code' in waiting) return { status: waiting, entries: [] };
    // Delayed messages share no request.
    const message = chained(sent.first, topic);
    return this.store(waiting, { topic, messages: [message], first: message, delayLevel: hop.level }, deadline);
  }

  /** See {@link DelayLevels.of}. Undefined for a broker that goes by the time. */
  private async hop(
    { delay, delayLevels }: Needs,
    address: string,
    deadline: Deadline,
  ): Promise<Hop | undefined | Status> {
    if (delay === undefined) return undefined;
    const release = await this.client.releaseAt(address, deadline);
    if (abilitiesOf(release).delays) return undefined;
    return this.delayLevels.of(delay.dueAtMs - delay.bornAtMs, delayLevels, { address, release }, deadline);
  }

  /** Not an async function: while it waits, it would hold the request, and a thousand at a time are a burden to the collector. */
  private store(place: QueuePlace, sent: Sent, deadline: Deadline): Promise<Answer> {
    const { topic, messages, first, delayLevel } = sent;
    const request =
      messages.length === 1 ? single(topic, place, first, delayLevel) : batch(topic, place, messages, first);
    return this.client.ask(place.address, request, deadline).then((answer) => {
      const { status, isStored } = sendStatusOf(answer, place.address);
      if (!isStored) return { status, entries: messages.map((message) => failed(status, message)) };
      const ids = (answer.fields.msgId ?? '').split(',');
      const entries = messages.map((message, index) => stored(answer, status, message, { index, id: ids[index] }));
      if (isHalf(first)) this.remember(topic, first, answer, place.address);
      return { status, entries };
    });
  }

  async recall(
    address: string,
    { topic, recallHandle }: RpcRequest<'recallMessage'>,
    deadline: Deadline,
  ): Promise<RpcResponse<'recallMessage'>> {
    const name = topic?.name ?? '';
    const no = (status: Status) => ({ status, messageId: '' });
    const brokerName = brokerInHandle(recallHandle);
    const target = (brokerName === undefined ? undefined : this.topics.addressOf(brokerName)) ?? address;
    const old = await this.unlessAble('recalls', 'recalling a message', FIRST_WITH.recall, target, deadline);
    if (old !== undefined) return no(old);
    if (brokerName === undefined) return no(rejection(Code.BAD_REQUEST, 'the recall handle is not one of a broker'));
    const fields = { producerGroup: name, topic: name, recallHandle, brokerName };
    const answer = await this.client.ask(target, { code: REQUEST_CODES.recallMessage, fields }, deadline);
    return { status: statusOf(answer, target), messageId: answer.fields.msgId ?? '' };
  }

  /** Why the broker cannot treat the message as asked: older ones store it like any other. */
  private async lacking(
    { properties, bodyBytes, checks }: Needs,
    address: string,
    deadline: Deadline,
  ): Promise<Status | undefined> {
    if (checks) {
      const [what, first] = ['a transaction whose producer is checked', FIRST_WITH.transactionChecks];
      const status = await this.unlessAble('checksTransactions', what, first, address, deadline);
      if (status !== undefined) return status;
    }
    for (const { ability, what, first } of properties) {
      const status = await this.unlessAble(ability, what, first, address, deadline);
      if (status !== undefined) return status;
    }
    return bodyBytes > LIMITS.bodyBytes ? this.unlessRoom(bodyBytes, address, deadline) : undefined;
  }

  /** The rejection, or undefined when the broker takes so much. With access control, few are permitted to read its limit. */
  private async unlessRoom(bodyBytes: number, address: string, deadline: Deadline): Promise<Status | undefined> {
    const request = { code: REQUEST_CODES.getBrokerConfig };
    const answer = await this.client.ask(address, request, deadline, { isOptional: true });
    const said = integerIn(settingIn(answer, 'maxMessageSize'));
    const limit = said ?? LIMITS.bodyBytes;
    if (bodyBytes <= limit) return undefined;
    const source = said === undefined ? 'by default, and it does not say what it is' : 'by its maxMessageSize';
    const text = `the body has ${bodyBytes} bytes; the limit of ${address} is ${limit} ${source}; nothing was sent`;
    return rejection(Code.MESSAGE_BODY_TOO_LARGE, text);
  }

  /** The rejection, or undefined when the broker has the ability. @param what starts the sentence "... needs 5.4.0 or later" */
  private async unlessAble(
    ability: keyof BrokerAbilities,
    what: string,
    first: string,
    address: string,
    deadline: Deadline,
  ): Promise<Status | undefined> {
    const release = await this.client.releaseAt(address, deadline);
    if (abilitiesOf(release)[ability]) return undefined;
    const text = `${address} runs ${releaseName(release)}; ${what} needs RocketMQ ${first} or later`;
    return rejection(Code.UNSUPPORTED, text);
  }

  private remember(topic: string, message: WireMessage, answer: RemotingFrame, address: string): void {
    const commitLogOffset = offsetInMessageId(answer.fields.msgId ?? '');
    if (commitLogOffset === undefined) return;
    this.halfMessages.add(topic, message.systemProperties?.messageId ?? '', {
      address,
      tableOffset: answer.fields.queueOffset ?? '0',
      commitLogOffset: String(commitLogOffset),
      isOfCheck: false,
      bornTimestampMs: message.systemProperties?.bornTimestamp?.getTime(),
      bodyCrc: crc32(message.body),
    });
  }
}

function rejected(code: Code, message: string): Promise<Answer> {
  return Promise.resolve({ status: rejection(code, message), entries: [] });
}

function delayOf({ systemProperties }: WireMessage): Needs['delay'] {
  const dueAtMs = systemProperties?.deliveryTimestamp?.getTime();
  if (dueAtMs === undefined) return undefined;
  return { dueAtMs, bornAtMs: systemProperties?.bornTimestamp?.getTime() ?? realTimeIn(0).getTime() };
}

function topicOf({ topic }: WireMessage): string {
  return topic?.name ?? '';
}

/** @param at its index in the request, and the id by its offset */
function stored(
  { fields }: RemotingFrame,
  status: Status,
  message: WireMessage,
  at: { readonly index: number; readonly id: string | undefined },
): SentEntry {
  const messageId = message.systemProperties?.messageId ?? '';
  return {
    status,
    messageId,
    transactionId: messageId,
    offset: BigInt((offsetOf(fields.queueOffset ?? '') ?? 0) + at.index),
    recallHandle: fields.recallHandle ?? '',
    queueId: integerIn(fields.queueId),
    offsetMessageId: at.id === '' ? undefined : at.id,
  };
}

function failed(status: Answer['status'], message: WireMessage): SentEntry {
  const messageId = message.systemProperties?.messageId ?? '';
  return { status, messageId, transactionId: '', offset: 0n, recallHandle: '' };
}

/** @see RecallMessageHandle of the server: `v1 topic broker time messageId`, in URL-safe Base64 */
function brokerInHandle(handle: string): string | undefined {
  const [version, , brokerName, , messageId] = Buffer.from(handle, 'base64url').toString('utf8').split(' ');
  return version === 'v1' && messageId !== undefined ? brokerName : undefined;
}
