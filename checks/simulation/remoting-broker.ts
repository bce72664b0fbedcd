// A broker without a proxy, and its name server: serves the engine of the simulated broker by the remoting protocol, with the answers of
// a real 5.5.0.

import { createServer, type Server, type Socket } from 'node:net';
import { AdminRefusal } from '../../libs/rocketmq/src/broker/admin/admin-answer.js';
import { AdminRequests } from '../../libs/rocketmq/src/broker/admin/admin-requests.js';
import type { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import { Refusal } from '../../libs/rocketmq/src/broker/engine/refusal.js';
import type { BrokerContext } from '../../libs/rocketmq/src/broker/services/broker-context.js';
import type { CallContext } from '../../libs/rocketmq/src/broker/services/call-context.js';
import { LiteSubscriptions } from '../../libs/rocketmq/src/broker/services/lite-subscriptions.js';
import type { LongPolls } from '../../libs/rocketmq/src/broker/services/long-polls.js';
import { Receiving } from '../../libs/rocketmq/src/broker/services/receiving.js';
import { Sending } from '../../libs/rocketmq/src/broker/services/sending.js';
import { Settling } from '../../libs/rocketmq/src/broker/services/settling.js';
import { AnswerError } from '../../libs/rocketmq/src/broker/services/status.js';
import { TransactionChecks } from '../../libs/rocketmq/src/broker/services/transaction-checks.js';
import { toDuration } from '../../libs/rocketmq/src/protocol/grpc/duration.js';
import {
  ClientType,
  Code,
  FilterType,
  Settings,
  TransactionResolution,
  TransactionSource,
  type Message as WireMessage,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import { encodeFrame, FrameDecoder, type RemotingFrame } from '../../libs/rocketmq/src/protocol/remoting/frame.js';
import { offsetMessageIdOf } from '../../libs/rocketmq/src/protocol/remoting/stored-message.js';
import { SECOND_MS } from '../../libs/rocketmq/src/support/clock.js';
import { sentBatch, sentMessage, storedBytes } from './remoting-messages.js';

/** The number of release 5.5.0. */
const VERSION = 513;
const MAX_BYTES = 32 * 1024 * 1024;
/** The permission of a topic that cannot be written. @see PermName of the server */
const READ_ONLY = 4;
/** @see NamesrvUtil of the server */
const ORDER_CONFIGURATION = 'ORDER_TOPIC_CONFIG';
/** How long after the end of a poll its answer may take. */
const POLL_REST_MS = 5 * SECOND_MS;

type Fields = RemotingFrame['fields'];
type Answer = Pick<RemotingFrame, 'code'> & Partial<Pick<RemotingFrame, 'remark' | 'fields' | 'body'>>;

interface RemotingBrokerOptions {
  readonly host: string;
  /** Of the name server, and of the broker: a client must not take one for the other. */
  readonly ports: readonly [nameServer: number, broker: number];
  /** Asked before each answer: whether its connection breaks first, after the work was done. */
  readonly losesAnswer: () => boolean;
  /** What its name server knows. Default: this broker alone. */
  readonly cluster?: ClusterView | undefined;
}

/** The brokers of a cluster of two, as their name server sees them. */
export interface ClusterView {
  readonly other: { readonly name: string; readonly address: string; readonly isReadOnly: boolean };
  isRegistered(brokerName: string): boolean;
  /** The order configuration of a topic. */
  orderOf(topic: string): string | undefined;
}

/** A message that was handed out, found by what its consumer says of it. */
interface HandedOut {
  readonly handle: string;
  readonly messageId: string;
}

/** Where a broker without a proxy keeps things: on its disk, so that what it handed out can be settled after a restart. */
export class RemotingPlaces {
  /** By the text that identifies a delivery: topic, queue, offset, time of the pop. */
  readonly handedOut = new Map<string, HandedOut>();
  /** The latest delivery of a stored copy, by its offset in the commit log. */
  readonly copies = new Map<string, { readonly topic: string; readonly key: string }>();
  /** The transactions, by the offset of their newest half message. */
  readonly halves = new Map<string, { readonly topic: string; readonly transactionId: string }>();
  private readonly logOffsets = new Map<string, number>();
  private offsets = 1;
  private lastPopMs = 0;

  nextOffset(): number {
    return this.offsets++;
  }

  logOffsetOf(copy: string): number {
    const known = this.logOffsets.get(copy);
    if (known !== undefined) return known;
    const offset = this.nextOffset();
    this.logOffsets.set(copy, offset);
    return offset;
  }

  /** Identifies the deliveries of one answer: never the same twice. */
  newPopTime(nowMs: number): number {
    this.lastPopMs = Math.max(nowMs, this.lastPopMs + 1);
    return this.lastPopMs;
  }
}

/** What every request needs to know of its connection. */
interface Peer {
  readonly socket: Socket;
  readonly gone: AbortController;
  clientId: string;
  push: ((command: TelemetryCommand) => void) | undefined;
}

/** Serves one simulated broker from its start to its end. */
export class RemotingBroker {
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly context: BrokerContext;
  private readonly sending: Sending;
  private readonly settling: Settling;
  private readonly receiving: Receiving;
  private readonly admin: AdminRequests;
  private readonly address: string;
  /** @param broker one that has started */
  constructor(
    broker: EmbeddedBroker,
    private readonly places: RemotingPlaces,
    private readonly options: RemotingBrokerOptions,
  ) {
    const inner = broker as unknown as {
      running(): { readonly polls: LongPolls };
      makeContext(polls: LongPolls): BrokerContext;
    };
    this.context = inner.makeContext(inner.running().polls);
    this.address = `${options.host}:${options.ports[1]}`;
    this.sending = new Sending(this.context, new TransactionChecks(this.context));
    this.settling = new Settling(this.context);
    this.receiving = new Receiving(this.context, new LiteSubscriptions(this.context));
    this.admin = new AdminRequests({ ...this.context, address: () => this.address });
  }

  async listen(): Promise<void> {
    const { host, ports } = this.options;
    for (const port of ports) {
      const server = createServer((socket) => this.serve(socket));
      this.servers.push(server);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port }, resolve);
      });
    }
  }

  stop(): void {
    for (const server of this.servers.splice(0)) server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    const peer: Peer = { socket, gone: new AbortController(), clientId: '', push: undefined };
    const decoder = new FrameDecoder(MAX_BYTES);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      let frames: readonly RemotingFrame[];
      try {
        frames = decoder.push(chunk);
      } catch {
        // A client that asks whether a proxy is here. A real broker closes the connection.
        socket.destroy();
        return;
      }
      for (const request of frames) if (!request.isResponse) void this.answer(request, peer);
    });
    socket.once('close', () => {
      this.sockets.delete(socket);
      peer.gone.abort();
      // Once it stops, a client without a stream is nobody's concern.
      if (peer.push !== undefined && this.servers.length > 0)
        this.context.sessions.streamEnded(peer.clientId, peer.push);
    });
  }

  private async answer(request: RemotingFrame, peer: Peer): Promise<void> {
    const answer = await this.work(request, peer).catch(refused);
    if (request.isOneWay || peer.socket.destroyed) return;
    if (this.options.losesAnswer()) {
      peer.socket.destroy();
      return;
    }
    peer.socket.write(encodeFrame({ ...answer, opaque: request.opaque, isResponse: true, version: VERSION }));
  }

  private async work(request: RemotingFrame, peer: Peer): Promise<Answer> {
    const { code, fields, body } = request;
    switch (code) {
      case CODES.heartBeat:
        return this.heartbeat(JSON.parse(body.toString()), peer);
      case CODES.unregisterClient:
        this.context.sessions.remove(fields.clientID ?? '');
        return done();
      case CODES.sendMessageV2:
        return this.send(fields, [sentMessage(textOf(fields, 'b'), numberOf(fields, 'f'), textOf(fields, 'i'), body)]);
      case CODES.sendBatchMessage:
        return this.send(fields, sentBatch(textOf(fields, 'b'), numberOf(fields, 'f'), body));
      case CODES.endTransaction:
        return this.end(fields);
      case CODES.popMessage:
        return this.pop(fields, peer);
      case CODES.ackMessage:
        return this.ack([keyOf(fields)], fields);
      case CODES.batchAckMessage:
        return this.ackTogether(JSON.parse(body.toString()));
      case CODES.changeMessageInvisibleTime:
        return this.change(fields);
      case CODES.consumerSendMessageBack:
        return this.sendBack(fields);
      case CODES.getRouteInfoByTopic:
        return this.route(await this.admin.answer(request));
      case CODES.getKvConfig:
        return this.orderConfiguration(fields);
      default:
        return this.admin.answer(request);
    }
  }

  /** As a name server that knows, or has lost, each of two brokers. */
  private route(answer: Answer): Answer {
    const { cluster } = this.options;
    if (cluster === undefined || answer.body === undefined) return answer;
    const { brokerDatas, queueDatas, ...route } = JSON.parse(answer.body.toString());
    const { name: brokerName, address, isReadOnly } = cluster.other;
    const [own, queues] = [brokerDatas[0], queueDatas[0]];
    const known = [
      { broker: own, queues },
      {
        broker: { brokerName, cluster: own.cluster, brokerAddrs: { 0: address } },
        queues: { ...queues, brokerName, ...(isReadOnly ? { perm: READ_ONLY } : {}) },
      },
    ].filter(({ broker }) => cluster.isRegistered(broker.brokerName));
    if (known.length === 0) throw new AdminRefusal(RESPONSE_CODES.topicNotExist, 'no broker has registered');
    const both = {
      ...route,
      brokerDatas: known.map(({ broker }) => broker),
      queueDatas: known.map((one) => one.queues),
    };
    return { ...answer, body: Buffer.from(JSON.stringify(both)) };
  }

  private orderConfiguration({ namespace, key = '' }: Fields): Answer {
    const value = namespace === ORDER_CONFIGURATION ? this.options.cluster?.orderOf(key) : undefined;
    if (value === undefined) throw new AdminRefusal(RESPONSE_CODES.queryNotFound, 'no such configuration');
    return done({ value });
  }

  /** Registers the client, as it says it is. */
  private heartbeat(body: Heartbeat, peer: Peer): Answer {
    const { clientID: clientId, producerDataSet: producers, consumerDataSet: consumers } = body;
    const isKnown = peer.push !== undefined && this.context.sessions.find(clientId) !== undefined;
    peer.clientId = clientId;
    peer.push ??= (command) => this.push(command, peer);
    if (isKnown) {
      this.context.sessions.heartbeat(this.context.sessions.require(clientId));
      return done();
    }
    const topics = producers.map(({ groupName: name }) => ({ resourceNamespace: '', name }));
    const group = consumers[0]?.groupName;
    const settings =
      group === undefined
        ? Settings.fromPartial({ clientType: ClientType.PRODUCER, pubSub: { $case: 'publishing', value: { topics } } })
        : Settings.fromPartial({
            clientType: ClientType.PUSH_CONSUMER,
            pubSub: { $case: 'subscription', value: { group: { resourceNamespace: '', name: group } } },
          });
    this.context.sessions.register(clientId, settings, peer.push);
    return done();
  }

  /** A check: the half message is stored anew, and is ended from then on by its new place. */
  private push({ command }: TelemetryCommand, { socket }: Peer): void {
    if (command?.$case !== 'recoverOrphanedTransactionCommand' || socket.destroyed) return;
    const { message, transactionId } = command.value;
    if (message === undefined) return;
    const topic = message.topic?.name ?? '';
    for (const [offset, half] of this.places.halves)
      if (half.transactionId === transactionId) this.places.halves.delete(offset);
    const offset = this.places.nextOffset();
    this.places.halves.set(String(offset), { topic, transactionId });
    const fields = { tranStateTableOffset: String(offset), commitLogOffset: String(offset), transactionId };
    const body = storedBytes(message, this.placeOf(offset, 0));
    const msgId = message.systemProperties?.messageId ?? '';
    const code = CODES.checkTransactionState;
    socket.write(encodeFrame({ code, opaque: offset, isOneWay: true, fields: { ...fields, msgId }, body }));
  }

  private placeOf(offset: number, reconsumeTimes: number) {
    return {
      queueOffset: offset,
      commitLogOffset: offset,
      reconsumeTimes,
      storeHost: this.address,
    };
  }

  private async send(fields: Fields, messages: readonly WireMessage[]): Promise<Answer> {
    const answer = await this.sending.sendMessage({ messages: [...messages] });
    const [entry] = answer.entries;
    const isHalf = textOf(fields, 'i').includes('TRAN_MSG');
    const offset = this.places.nextOffset();
    const transactionId = messages[0]?.systemProperties?.messageId ?? '';
    if (isHalf) this.places.halves.set(String(offset), { topic: textOf(fields, 'b'), transactionId });
    const queueOffset = isHalf ? String(offset) : String(entry?.offset ?? 0n);
    return done({ msgId: offsetMessageIdOf(this.placeOf(offset, 0)), queueId: '0', queueOffset, transactionId });
  }

  private async end(fields: Fields): Promise<Answer> {
    const offset = textOf(fields, 'commitLogOffset');
    const half = this.places.halves.get(offset);
    if (half === undefined || textOf(fields, 'tranStateTableOffset') !== offset) {
      return { code: RESPONSE_CODES.systemError, remark: 'Find prepared transaction message failed' };
    }
    const isCommit = textOf(fields, 'commitOrRollback') === '8';
    const isCheck = textOf(fields, 'fromTransactionCheck') === 'true';
    await this.sending.endTransaction({
      topic: { resourceNamespace: '', name: half.topic },
      messageId: half.transactionId,
      transactionId: half.transactionId,
      resolution: isCommit ? TransactionResolution.COMMIT : TransactionResolution.ROLLBACK,
      source: isCheck ? TransactionSource.SOURCE_SERVER_CHECK : TransactionSource.SOURCE_CLIENT,
      traceContext: '',
    });
    this.places.halves.delete(offset);
    return done();
  }

  private async pop(fields: Fields, peer: Peer): Promise<Answer> {
    const topic = { resourceNamespace: '', name: textOf(fields, 'topic') };
    const pollMs = numberOf(fields, 'pollTime');
    const invisibleMs = numberOf(fields, 'invisibleTime');
    const context: CallContext = {
      rpc: 'receiveMessage',
      clientId: peer.clientId,
      language: 'NODE_JS',
      clientVersion: '5.5.0',
      user: undefined,
    };
    const isSql = textOf(fields, 'expType') === 'SQL92';
    const request = {
      group: { resourceNamespace: '', name: textOf(fields, 'consumerGroup') },
      messageQueue: { topic, id: 0, permission: 0, broker: undefined, acceptMessageTypes: [] },
      filterExpression: { type: isSql ? FilterType.SQL : FilterType.TAG, expression: textOf(fields, 'exp') },
      batchSize: numberOf(fields, 'maxMsgNums'),
      invisibleDuration: toDuration(invisibleMs),
      autoRenew: false,
      longPollingTimeout: toDuration(pollMs),
      attemptId: fields.attemptId,
    };
    const call = { remainingMs: pollMs + POLL_REST_MS, signal: peer.gone.signal };
    const { items } = await this.receiving.receiveMessage(request, context, call);
    const messages = items.flatMap(({ content }) => (content?.$case === 'message' ? [content.value] : []));
    const status = items.flatMap(({ content }) => (content?.$case === 'status' ? [content.value] : []))[0];
    if (messages.length === 0) {
      if (status?.code === Code.MESSAGE_NOT_FOUND) return { code: RESPONSE_CODES.pollingTimeout };
      throw new AnswerError(status?.code ?? Code.INTERNAL_ERROR, status?.message ?? '');
    }
    return this.handOut(messages, topic.name, textOf(fields, 'order') === 'true', invisibleMs);
  }

  private handOut(messages: readonly WireMessage[], topic: string, isOrdered: boolean, invisibleMs: number): Answer {
    const popTime = this.places.newPopTime(this.context.clock.nowMs());
    const starts = new Map<number, number>();
    const counts: string[] = [];
    const bodies = messages.map((message) => {
      const { systemProperties: system } = message;
      const { queueId = 0, deliveryAttempt = 1 } = system ?? {};
      const queueOffset = Number(system?.queueOffset ?? 0n);
      const known = starts.get(queueId);
      if (known === undefined || queueOffset < known) starts.set(queueId, queueOffset);
      const key = `${topic} ${queueId} ${queueOffset} ${popTime}`;
      this.places.handedOut.set(key, { handle: system?.receiptHandle ?? '', messageId: system?.messageId ?? '' });
      const logOffset = this.places.logOffsetOf(`${topic} ${queueId} ${queueOffset}`);
      this.places.copies.set(String(logOffset), { topic, key });
      if (isOrdered) counts.push(`0 qo${queueId}%${queueOffset} ${deliveryAttempt - 1}`);
      const place = { ...this.placeOf(logOffset, isOrdered ? 0 : deliveryAttempt - 1), queueOffset };
      return storedBytes(message, place);
    });
    const fields = {
      popTime: String(popTime),
      invisibleTime: String(invisibleMs),
      reviveQid: '0',
      startOffsetInfo: [...starts].map(([queue, offset]) => `0 ${queue} ${offset}`).join(';'),
      ...(isOrdered ? { orderCountInfo: counts.join(';') } : {}),
    };
    return { ...done(fields), body: Buffer.concat(bodies) };
  }

  private async ackTogether({ acks }: { readonly acks: readonly BatchAck[] }): Promise<Answer> {
    for (const { c: consumerGroup, t: topic, q, so, pt, b } of acks) {
      const bits = Buffer.from(b, 'base64');
      const offsets = Array.from({ length: 8 * bits.length }, (_, index) => index).filter(
        (index) => (((bits[index >> 3] ?? 0) >> (index & 7)) & 1) === 1,
      );
      const keys = offsets.map((offset) => `${topic} ${q} ${so + offset} ${pt}`);
      await this.ack(keys, { consumerGroup, topic });
    }
    return done();
  }

  /** A real broker notes any acknowledgement, also of a delivery that has ended. */
  private async ack(keys: readonly string[], { consumerGroup = '', topic = '' }: Fields): Promise<Answer> {
    const entries = keys.flatMap((key) => {
      const found = this.places.handedOut.get(key);
      this.places.handedOut.delete(key);
      return found === undefined ? [] : [{ messageId: found.messageId, receiptHandle: found.handle }];
    });
    if (entries.length > 0) await this.settling.ackMessage({ ...resources(topic, consumerGroup), entries });
    return done();
  }

  private async change(fields: Fields): Promise<Answer> {
    const { topic = '', consumerGroup = '' } = fields;
    const key = keyOf(fields);
    const found = this.places.handedOut.get(key);
    const popTime = this.places.newPopTime(this.context.clock.nowMs());
    const invisibleMs = numberOf(fields, 'invisibleTime');
    const about = { popTime: String(popTime), invisibleTime: String(invisibleMs), reviveQid: '0' };
    // As of an acknowledgement: a delivery that has ended is changed without effect.
    if (found === undefined) return done(about);
    const { receiptHandle } = await this.settling.changeInvisibleDuration({
      ...resources(topic, consumerGroup),
      receiptHandle: found.handle,
      messageId: found.messageId,
      invisibleDuration: toDuration(invisibleMs),
      suspend: textOf(fields, 'suspend') === 'true',
    });
    this.places.handedOut.delete(key);
    const renewed = key.replace(/\d+$/, String(popTime));
    this.places.handedOut.set(renewed, { ...found, handle: receiptHandle });
    const logOffset = this.places.logOffsetOf(key.replace(/ \d+$/, ''));
    this.places.copies.set(String(logOffset), { topic, key: renewed });
    return done(about);
  }

  /** Copies the message to the dead letters; here that ends its delivery, too. */
  private async sendBack(fields: Fields): Promise<Answer> {
    const copy = this.places.copies.get(textOf(fields, 'offset'));
    const found = copy && this.places.handedOut.get(copy.key);
    if (copy === undefined || found === undefined || textOf(fields, 'delayLevel') !== '-1') {
      return { code: RESPONSE_CODES.systemError, remark: 'look message by offset failed' };
    }
    await this.settling.forwardMessageToDeadLetterQueue({
      ...resources(copy.topic, textOf(fields, 'group')),
      receiptHandle: found.handle,
      messageId: found.messageId,
      deliveryAttempt: 1,
      maxDeliveryAttempts: 1,
    });
    return done();
  }
}

interface Heartbeat {
  readonly clientID: string;
  readonly producerDataSet: readonly { readonly groupName: string }[];
  readonly consumerDataSet: readonly { readonly groupName: string }[];
}

/** @see BatchAck of the server */
interface BatchAck {
  readonly c: string;
  readonly t: string;
  readonly q: number;
  readonly so: number;
  readonly pt: number;
  readonly b: string;
}

function done(fields: Record<string, string> = {}): Answer {
  return { code: RESPONSE_CODES.success, fields };
}

function refused(error: unknown): Answer {
  const remark = (error as Error).message;
  if (error instanceof AdminRefusal) return { code: error.code, remark };
  if (error instanceof Refusal && error.reason === 'unknown-topic')
    return { code: RESPONSE_CODES.topicNotExist, remark };
  if (error instanceof Refusal || error instanceof AnswerError) return { code: RESPONSE_CODES.noMessage, remark };
  return { code: RESPONSE_CODES.systemError, remark };
}

/** Topic, queue, offset and time of the pop. */
function keyOf(fields: Fields): string {
  const [, popTime = ''] = textOf(fields, 'extraInfo').split(' ');
  return `${fields.topic} ${fields.queueId} ${fields.offset} ${popTime}`;
}

function resources(topic: string, group: string) {
  return { topic: { resourceNamespace: '', name: topic }, group: { resourceNamespace: '', name: group } };
}

function textOf(fields: Fields, name: string): string {
  return fields[name] ?? '';
}

function numberOf(fields: Fields, name: string): number {
  return Number(fields[name] ?? 0);
}
