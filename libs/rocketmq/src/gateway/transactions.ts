// Where the half messages of a client are stored, which is needed to end their transactions, and the checks of brokers.

import {
  Code,
  TransactionResolution,
  type Message as WireMessage,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import { STATUS_MEANINGS } from '../protocol/grpc/status.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { decodeStoredMessages } from '../protocol/remoting/stored-message.js';
import type { RemotingClient } from '../remoting/remoting-client.js';
import type { RemotingConnection } from '../remoting/remoting-connection.js';
import { type Deadline, monotonicMs } from '../support/deadline.js';
import { RocketMQError } from '../support/errors.js';
import { wireMessageOf } from './message-properties.js';
import { rejection, statusOf } from './statuses.js';

/** Where a half message is stored. Each check stores it again, and only the newest place ends the transaction once. */
interface HalfMessage {
  readonly address: string;
  /** The offset in the queue of half messages. */
  readonly tableOffset: string;
  readonly commitLogOffset: string;
  readonly isOfCheck: boolean;
  /** Where its check came from. */
  readonly connection?: RemotingConnection;
}

interface KeptHalfMessage extends HalfMessage {
  /** The broker at the address at that time. */
  readonly brokerName: string | undefined;
  readonly keptAtMs: number;
}

/** A check of a broker. */
interface Check {
  readonly message: WireMessage;
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
/** `commitOrRollback`. @see MessageSysFlag of the server */
const [COMMIT, ROLLBACK] = ['8', '12'];

/** The half messages of one client, by topic and transaction id. */
export class HalfMessages {
  private readonly kept = new Map<string, KeptHalfMessage>();
  /** What a broker has committed, and over which connection: one that starts again may have lost it. */
  private readonly commits = new Map<string, RemotingConnection>();

  constructor(
    private readonly client: RemotingClient,
    private readonly brokers: Brokers,
  ) {}

  add(topic: string, transactionId: string, half: HalfMessage): void {
    const nowMs = monotonicMs();
    const key = keyOf(topic, transactionId);
    // A message that is sent anew with the id of an earlier one is not the one that was committed.
    if (!half.isOfCheck) this.commits.delete(key);
    this.kept.delete(key);
    this.kept.set(key, { ...half, brokerName: this.brokers.nameAt(half.address), keptAtMs: nowMs });
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
    this.add(stored.topic, transactionId, { address, tableOffset, commitLogOffset, isOfCheck: true, connection });
    const message = wireMessageOf(stored, { topic: stored.topic, receiptHandle: undefined, deliveryAttempt: 1 });
    return { message, transactionId };
  }

  /** Unlike the proxy, waits for the broker's answer: OK means that the transaction has ended. */
  async end(request: RpcRequest<'endTransaction'>, deadline: Deadline): Promise<RpcResponse<'endTransaction'>> {
    const { transactionId, messageId, resolution } = request;
    const topic = request.topic?.name ?? '';
    const key = keyOf(topic, transactionId);
    const half = this.kept.get(key);
    if (half === undefined) {
      const text = `transaction ${transactionId} was ended before, or its half message was sent too long ago`;
      return { status: rejection(Code.INVALID_TRANSACTION_ID, text) };
    }
    const isCommit = resolution === TransactionResolution.COMMIT;
    // Brokers of 4.5 check transactions that they have committed, and a second commit would store the message again. A rollback ends the copy alone.
    const isDone = half.connection !== undefined && this.commits.get(key) === half.connection;
    const fields = {
      topic,
      producerGroup: topic,
      tranStateTableOffset: half.tableOffset,
      commitLogOffset: half.commitLogOffset,
      commitOrRollback: isCommit && !isDone ? COMMIT : ROLLBACK,
      fromTransactionCheck: String(half.isOfCheck),
      msgId: messageId,
      transactionId,
    };
    // A second commit would store the message again: what may have been sent is forgotten, and the next check brings it back.
    this.kept.delete(key);
    const address =
      (half.brokerName === undefined ? undefined : this.brokers.addressOf(half.brokerName)) ?? half.address;
    try {
      const connection = await this.client.connected(address, deadline);
      const answer = await this.client.ask(address, { code: REQUEST_CODES.endTransaction, fields }, deadline);
      const status = statusOf(answer, address);
      if (isCommit && status.code === Code.OK) this.committed(connection, key);
      const meaning = STATUS_MEANINGS.get(status.code);
      if (status.code !== Code.OK && meaning?.outcome === 'rejected' && meaning.retryable) this.restore(key, half);
      return { status };
    } catch (error) {
      if (RocketMQError.is(error) && error.outcome === 'not-sent') this.restore(key, half);
      throw error;
    }
  }

  private committed(connection: RemotingConnection, key: string): void {
    this.commits.set(key, connection);
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

function keyOf(topic: string, transactionId: string): string {
  return `${topic} ${transactionId}`;
}
