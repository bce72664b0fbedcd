// Where the half messages of a client are stored, which is needed to end their transactions, and the checks of brokers.

import { crc32 } from 'node:zlib';
import {
  Code,
  TransactionResolution,
  TransactionSource,
  type Message as WireMessage,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import { STATUS_MEANINGS } from '../protocol/grpc/status.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { decodeStoredMessages } from '../protocol/remoting/stored-message.js';
import { indexQuery } from '../remoting/message-query.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import type { RemotingConnection } from '../remoting/remoting-connection.js';
import { type Deadline, monotonicMs, withNotedEffects } from '../support/deadline.js';
import { RocketMQError } from '../support/errors.js';
import { wireMessageOf } from './message-properties.js';
import { rejection, statusOf } from './statuses.js';

/** What a message keeps from check to check, and when it is committed. Another one can have its id. */
interface Identity {
  readonly bornTimestampMs: number | undefined;
  /** Of the body as it is stored. */
  readonly bodyCrc: number;
}

/** Where a half message is stored. Each check stores it again, and only the newest place ends the transaction once. */
interface HalfMessage extends Identity {
  readonly address: string;
  /** The offset in the queue of half messages. */
  readonly tableOffset: string;
  readonly commitLogOffset: string;
  readonly isOfCheck: boolean;
  /** Where its check came from. */
  readonly connection?: RemotingConnection;
}

interface KeptHalfMessage extends HalfMessage {
  readonly topic: string;
  /** As the broker knows it. */
  readonly transactionId: string;
  /** The broker at the address at that time. */
  readonly brokerName: string | undefined;
  readonly keptAtMs: number;
}

/** A check of a broker. */
interface Check {
  readonly message: WireMessage;
  /** Differs from that of another message with the same id. */
  readonly transactionId: string;
}

/** Where brokers are: one may move while a transaction runs. */
interface Brokers {
  nameAt(address: string): string | undefined;
  addressOf(brokerName: string): string | undefined;
}

/** Half messages are forgotten after this time, so that those that are never ended take no memory: a check brings them back. */
const KEPT_MS = 10 * 60_000;
const MAX_KEPT = 100_000;
const MAX_COMMITS = 10_000;
/** From this age on a half message may have been checked, by default after 6 s, and committed by the instance that was asked. */
const MAY_BE_CHECKED_MS = 5_000;
/** How long the broker may take to say whether it has committed a message. */
const LOOKUP_MS = 1_000;
/** The messages with one id that are looked at: a topic has one, unless its senders use ids again. */
const MAX_FOUND = 32;
/** `commitOrRollback`. @see MessageSysFlag of the server */
const [COMMIT, ROLLBACK] = ['8', '12'];

/** The half messages of one client, by topic and transaction id. */
export class HalfMessages {
  private readonly kept = new Map<string, KeptHalfMessage>();
  /** Which message an id is that of: the last one that this client has sent, or the first one that it was asked about. Others are known by more. */
  private readonly owners = new Map<string, Identity>();
  /** What a broker has committed, and over which connection: one that starts again may have lost it. */
  private readonly commits = new Map<string, Identity & { readonly connection: RemotingConnection }>();

  constructor(
    private readonly client: RemotingClient,
    private readonly brokers: Brokers,
  ) {}

  add(topic: string, transactionId: string, half: HalfMessage): void {
    const key = keyOf(topic, transactionId);
    // A message that is sent anew with the id of an earlier one is not the one that was committed.
    this.commits.delete(key);
    this.own(key, half);
    this.keep(key, topic, transactionId, half);
  }

  private keep(key: string, topic: string, transactionId: string, half: HalfMessage): void {
    const nowMs = monotonicMs();
    const brokerName = this.brokers.nameAt(half.address);
    this.kept.delete(key);
    this.kept.set(key, { ...half, topic, transactionId, brokerName, keptAtMs: nowMs });
    for (const [oldest, { keptAtMs }] of this.kept) {
      if (nowMs - keptAtMs < KEPT_MS && this.kept.size <= MAX_KEPT) break;
      this.kept.delete(oldest);
    }
  }

  /** The check in a request of a broker, remembered so that its answer finds the half message; undefined for anything else. */
  checkIn({ fields, body }: RemotingFrame, connection: RemotingConnection): Check | undefined {
    const [stored] = decodeStoredMessages(body);
    const { tranStateTableOffset: tableOffset, commitLogOffset } = fields;
    const transactionId = fields.transactionId || stored?.properties.get('UNIQ_KEY');
    if (stored === undefined || transactionId === undefined) return undefined;
    if (tableOffset === undefined || commitLogOffset === undefined) return undefined;
    const { address } = connection;
    const { bornTimestampMs, body: storedBody } = stored;
    const kept = { bornTimestampMs, bodyCrc: crc32(storedBody) };
    const place = { address, tableOffset, commitLogOffset, isOfCheck: true, connection };
    const { topic } = stored;
    const answeredId = this.idOf(topic, transactionId, kept);
    this.keep(keyOf(topic, answeredId), topic, transactionId, { ...place, ...kept });
    const message = wireMessageOf(stored, { topic, receiptHandle: undefined, deliveryAttempt: 1 });
    return { message, transactionId: answeredId };
  }

  /** By which id a message that is checked is known here. */
  private idOf(topic: string, transactionId: string, half: Identity): string {
    const key = keyOf(topic, transactionId);
    const owner = this.owners.get(key);
    if (owner === undefined) this.own(key, half);
    if (owner === undefined || isSame(owner, half)) return transactionId;
    return `${transactionId}@${half.bornTimestampMs}-${half.bodyCrc}`;
  }

  private own(key: string, { bornTimestampMs, bodyCrc }: Identity): void {
    this.owners.delete(key);
    this.owners.set(key, { bornTimestampMs, bodyCrc });
    for (const oldest of this.owners.keys()) {
      if (this.owners.size <= MAX_KEPT) return;
      this.owners.delete(oldest);
    }
  }

  /** Unlike the proxy, waits for the broker's answer: OK means that the transaction has ended. */
  async end(request: RpcRequest<'endTransaction'>, deadline: Deadline): Promise<RpcResponse<'endTransaction'>> {
    const { transactionId, messageId, resolution } = request;
    const topic = request.topic?.name ?? '';
    const key = keyOf(topic, transactionId);
    const first = this.kept.get(key);
    // What was asked about one message says nothing about another that was sent with its id meanwhile.
    const isOfOther = request.source === TransactionSource.SOURCE_SERVER_CHECK && first?.isOfCheck === false;
    if (first === undefined || isOfOther) {
      const text = `transaction ${transactionId} was ended before, or its half message was sent too long ago`;
      return { status: rejection(Code.INVALID_TRANSACTION_ID, text) };
    }
    const isCommit = resolution === TransactionResolution.COMMIT;
    // A second commit would store the message again: what may have been sent is forgotten, and the next check brings it back.
    this.kept.delete(key);
    // A broker also checks what was committed, here or by another instance. A rollback then ends the copy alone.
    const isDone = isCommit && (await this.isCommitted(key, messageId, first, deadline));
    // A check has stored it again meanwhile.
    const half = this.kept.get(key) ?? first;
    this.kept.delete(key);
    const address = this.addressOf(half);
    const fields = {
      topic,
      producerGroup: topic,
      tranStateTableOffset: half.tableOffset,
      commitLogOffset: half.commitLogOffset,
      commitOrRollback: isCommit && !isDone ? COMMIT : ROLLBACK,
      fromTransactionCheck: String(half.isOfCheck),
      msgId: messageId,
      transactionId: half.transactionId,
    };
    try {
      const connection = await this.client.connected(address, deadline);
      const answer = await this.client.ask(address, { code: REQUEST_CODES.endTransaction, fields }, deadline);
      const status = statusOf(answer, address);
      if (isCommit && status.code === Code.OK) this.committed(connection, key, half);
      const meaning = STATUS_MEANINGS.get(status.code);
      if (status.code !== Code.OK && meaning?.outcome === 'rejected' && meaning.retryable) this.restore(key, half);
      return { status };
    } catch (error) {
      if (RocketMQError.is(error) && error.outcome === 'not-sent') this.restore(key, half);
      throw error;
    }
  }

  /** Whether the broker has the message in its topic. Without an answer it has not: a second one is better than none. */
  private async isCommitted(
    key: string,
    messageId: string,
    half: KeptHalfMessage,
    { what, signal }: Deadline,
  ): Promise<boolean> {
    const { topic, connection, isOfCheck, keptAtMs } = half;
    const known = this.commits.get(key);
    if (known !== undefined && known.connection === connection && isSame(half, known)) return true;
    if (!isOfCheck && monotonicMs() - keptAtMs < MAY_BE_CHECKED_MS) return false;
    const query = indexQuery({ topic, sought: messageId, isId: true, limit: MAX_FOUND });
    try {
      const answer = await withNotedEffects(`${what}: look-up`, LOOKUP_MS, signal, (own) =>
        this.client.ask(this.addressOf(half), query, own, { isOptional: true }),
      );
      if (answer.code !== RESPONSE_CODES.success) return false;
      return decodeStoredMessages(answer.body).some(
        (one) =>
          one.topic === topic &&
          one.properties.get('UNIQ_KEY') === messageId &&
          isSame(half, { bornTimestampMs: one.bornTimestampMs, bodyCrc: crc32(one.body) }),
      );
    } catch {
      return false;
    }
  }

  private addressOf({ brokerName, address }: KeptHalfMessage): string {
    return (brokerName === undefined ? undefined : this.brokers.addressOf(brokerName)) ?? address;
  }

  private committed(connection: RemotingConnection, key: string, { bornTimestampMs, bodyCrc }: Identity): void {
    this.commits.set(key, { connection, bornTimestampMs, bodyCrc });
    for (const oldest of this.commits.keys()) {
      if (this.commits.size <= MAX_COMMITS) return;
      this.commits.delete(oldest);
    }
  }

  /** Unless a check has named a newer place meanwhile. */
  private restore(key: string, half: KeptHalfMessage): void {
    if (!this.kept.has(key)) this.kept.set(key, half);
  }
}

function isSame(one: Identity, other: Identity): boolean {
  return one.bornTimestampMs === other.bornTimestampMs && one.bodyCrc === other.bodyCrc;
}

function keyOf(topic: string, transactionId: string): string {
  return `${topic} ${transactionId}`;
}
