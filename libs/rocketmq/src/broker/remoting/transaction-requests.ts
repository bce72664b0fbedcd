// Requests that end transactions (37), and those that ask producers about them (39).

import { HALF_TOPIC } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { encodeStoredMessage, offsetMessageIdOf } from '../../protocol/remoting/stored-message.js';
import { type AdminAnswer, numberIn, rejected, SUCCESS } from '../admin/admin-answer.js';
import { storedFieldsOf } from '../admin/stored-fields.js';
import { Rejection } from '../engine/rejection.js';
import { BROKER_NAME } from '../engine/server-names.js';
import { type DueCheck, transactionProperties } from '../engine/transactions.js';
import { keys, type StoredMessage } from '../store/records.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import { withReserved } from './sent-messages.js';

/** `commitOrRollback`. @see MessageSysFlag of the server */
const [NOTHING_SAID, COMMIT] = ['0', '8'];

export class TransactionRequests {
  readonly table: ClientRequestTable = [[REQUEST_CODES.endTransaction, (request) => this.endTransaction(request)]];

  constructor(private readonly broker: RemotingContext) {}

  /** Asks the next producer of the half message's group. @returns its client id, or undefined if none is connected */
  check(check: DueCheck): string | undefined {
    const { topic, message, transactionId, times, number, queueId = 0 } = check;
    const group = producerGroupOf(topic, message);
    const producer = this.broker.clients.nextProducerOf(group);
    if (producer === undefined) return undefined;
    const { engine, clientTime } = this.broker;
    const address = this.broker.address();
    const commitLogOffset = engine.logOffsets.ofHalf(topic, number);
    const asked = { ...message, properties: { ...message.properties, ...transactionProperties(transactionId, times) } };
    const own = { PGROUP: group, REAL_TOPIC: topic, REAL_QID: String(queueId) };
    const entry = { topic, queueId, offset: number, message: withReserved(asked, own) };
    const stored = storedFieldsOf(entry, { address, clientTime, engine });
    producer.connection.notify({
      code: REQUEST_CODES.checkTransactionState,
      fields: {
        tranStateTableOffset: String(number),
        commitLogOffset: String(commitLogOffset),
        msgId: transactionId,
        transactionId,
        offsetMsgId: offsetMessageIdOf({ storeHost: address, commitLogOffset }),
        bname: BROKER_NAME,
        topic: HALF_TOPIC,
      },
      body: encodeStoredMessage({ ...stored, commitLogOffset, sysFlag: stored.sysFlag & ~COMMITTED }),
    });
    return producer.clientId;
  }

  /** @see EndTransactionRequestHeader of the server */
  private async endTransaction({ fields }: RemotingFrame): Promise<AdminAnswer | undefined> {
    const said = fields.commitOrRollback;
    const half = this.broker.engine.logOffsets.halfAt(numberIn(fields, 'commitLogOffset'));
    const transactionId = fields.transactionId || fields.msgId || '';
    if (said === NOTHING_SAID) {
      if (half !== undefined) this.broker.checks.answered(half.topic, transactionId);
      // The server does not answer it.
      return undefined;
    }
    if (half === undefined) throw rejected('Find prepared transaction message failed');
    const { topic, number } = half;
    this.assertProducerGroup(half, transactionId, fields.producerGroup ?? '');
    this.broker.checks.answered(topic, transactionId);
    const resolution = said === COMMIT ? 'commit' : 'rollback';
    const isAnswer = fields.fromTransactionCheck === 'true';
    const nowMs = this.broker.clock.nowMs();
    try {
      this.broker.engine.endTransaction({ topic, transactionId, resolution, isAnswer, nowMs, number });
    } catch (error) {
      if (!(error instanceof Rejection) || error.reason !== 'unknown-transaction') throw error;
      throw rejected(error.message);
    }
    await this.broker.store.flush();
    return SUCCESS;
  }

  private assertProducerGroup(
    { topic, number }: { readonly topic: string; readonly number: number },
    transactionId: string,
    producerGroup: string,
  ): void {
    const key = [...keys.halvesById(topic, transactionId), number];
    const half = this.broker.store.get(key) as { readonly message: StoredMessage } | undefined;
    if (half === undefined) throw rejected('Find prepared transaction message failed');
    if (producerGroupOf(topic, half.message) !== producerGroup) throw rejected('The producer group wrong');
  }
}

/** @see MessageSysFlag of the server */
const COMMITTED = 8;

/** Who is asked about a half message. Proxies use the topic as the name of the group. */
function producerGroupOf(topic: string, { remoting }: StoredMessage): string {
  return remoting?.properties.PGROUP ?? topic;
}
