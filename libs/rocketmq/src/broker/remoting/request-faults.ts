// What scripted faults do to requests of clients by remoting: rules name RPCs, and these are the requests that mean the same.

import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcName } from '../../protocol/grpc/rpc.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { sleep } from '../../support/clock.js';
import type { AdminAnswer } from '../admin/admin-answer.js';
import { type FaultAction, saysStored } from '../services/faults.js';
import type { ClientConnection } from './client-connection.js';
import { heartbeatIn } from './heartbeat.js';
import type { RemotingContext } from './remoting-context.js';

interface Meant {
  readonly code: number;
  /** Default: every request with the code. */
  readonly when?: (fields: RemotingFrame['fields']) => boolean;
}

/** The delay level with which a consumer makes a message a dead letter itself. */
const DEAD = -1;
const isDead = ({ delayLevel }: RemotingFrame['fields']): boolean => Number(delayLevel) === DEAD;

/** The requests that mean what an RPC does. */
const REQUESTS: Readonly<Record<RpcName, readonly Meant[]>> = {
  queryRoute: [{ code: REQUEST_CODES.getRouteInfoByTopic }],
  // A client by remoting says who it is with each heartbeat.
  heartbeat: [{ code: REQUEST_CODES.heartBeat }],
  telemetry: [{ code: REQUEST_CODES.heartBeat }],
  sendMessage: [
    { code: REQUEST_CODES.sendMessage },
    { code: REQUEST_CODES.sendMessageV2 },
    { code: REQUEST_CODES.sendBatchMessage },
    { code: REQUEST_CODES.sendReplyMessage },
    { code: REQUEST_CODES.sendReplyMessageV2 },
  ],
  queryAssignment: [{ code: REQUEST_CODES.queryAssignment }, { code: REQUEST_CODES.getConsumerListByGroup }],
  receiveMessage: [
    { code: REQUEST_CODES.pullMessage },
    { code: REQUEST_CODES.litePullMessage },
    { code: REQUEST_CODES.popMessage },
    { code: REQUEST_CODES.popLiteMessage },
  ],
  pullMessage: [{ code: REQUEST_CODES.pullMessage }, { code: REQUEST_CODES.litePullMessage }],
  ackMessage: [{ code: REQUEST_CODES.ackMessage }, { code: REQUEST_CODES.batchAckMessage }],
  changeInvisibleDuration: [
    { code: REQUEST_CODES.changeMessageInvisibleTime },
    { code: REQUEST_CODES.consumerSendMessageBack, when: (fields) => !isDead(fields) },
  ],
  forwardMessageToDeadLetterQueue: [{ code: REQUEST_CODES.consumerSendMessageBack, when: isDead }],
  updateOffset: [{ code: REQUEST_CODES.updateConsumerOffset }],
  getOffset: [{ code: REQUEST_CODES.queryConsumerOffset }],
  queryOffset: [
    { code: REQUEST_CODES.searchOffsetByTimestamp },
    { code: REQUEST_CODES.getMaxOffset },
    { code: REQUEST_CODES.getMinOffset },
  ],
  endTransaction: [{ code: REQUEST_CODES.endTransaction }],
  recallMessage: [{ code: REQUEST_CODES.recallMessage }],
  syncLiteSubscription: [{ code: REQUEST_CODES.liteSubscriptionCtl }],
  notifyClientTermination: [{ code: REQUEST_CODES.unregisterClient }],
};

/** The nearest code of this protocol. All others are a `SYSTEM_ERROR`, which stands for any failure. */
const CODES: Partial<Record<keyof typeof Code, AdminAnswer['code']>> = {
  OK: RESPONSE_CODES.success,
  BAD_REQUEST: RESPONSE_CODES.invalidParameter,
  ILLEGAL_TOPIC: RESPONSE_CODES.invalidParameter,
  ILLEGAL_CONSUMER_GROUP: RESPONSE_CODES.invalidParameter,
  ILLEGAL_OFFSET: RESPONSE_CODES.invalidParameter,
  ILLEGAL_MESSAGE_TAG: RESPONSE_CODES.messageIllegal,
  ILLEGAL_MESSAGE_KEY: RESPONSE_CODES.messageIllegal,
  ILLEGAL_MESSAGE_GROUP: RESPONSE_CODES.messageIllegal,
  ILLEGAL_MESSAGE_PROPERTY_KEY: RESPONSE_CODES.messageIllegal,
  ILLEGAL_MESSAGE_ID: RESPONSE_CODES.messageIllegal,
  ILLEGAL_DELIVERY_TIME: RESPONSE_CODES.messageIllegal,
  MESSAGE_BODY_TOO_LARGE: RESPONSE_CODES.messageIllegal,
  MESSAGE_BODY_EMPTY: RESPONSE_CODES.messageIllegal,
  MESSAGE_PROPERTIES_TOO_LARGE: RESPONSE_CODES.messageIllegal,
  PAYLOAD_TOO_LARGE: RESPONSE_CODES.messageIllegal,
  MESSAGE_CORRUPTED: RESPONSE_CODES.messageIllegal,
  ILLEGAL_FILTER_EXPRESSION: RESPONSE_CODES.subscriptionParseFailed,
  INVALID_RECEIPT_HANDLE: RESPONSE_CODES.noMessage,
  UNRECOGNIZED_CLIENT_TYPE: RESPONSE_CODES.subscriptionNotExist,
  UNAUTHORIZED: RESPONSE_CODES.noPermission,
  FORBIDDEN: RESPONSE_CODES.noPermission,
  MESSAGE_NOT_FOUND: RESPONSE_CODES.pullNotFound,
  TOPIC_NOT_FOUND: RESPONSE_CODES.topicNotExist,
  CONSUMER_GROUP_NOT_FOUND: RESPONSE_CODES.subscriptionGroupNotExist,
  OFFSET_NOT_FOUND: RESPONSE_CODES.queryNotFound,
  PRECONDITION_FAILED: RESPONSE_CODES.illegalOperation,
  TOO_MANY_REQUESTS: RESPONSE_CODES.systemBusy,
  LITE_TOPIC_QUOTA_EXCEEDED: RESPONSE_CODES.lmqQuotaExceeded,
  LITE_SUBSCRIPTION_QUOTA_EXCEEDED: RESPONSE_CODES.liteSubscriptionQuotaExceeded,
  HA_NOT_AVAILABLE: RESPONSE_CODES.slaveNotAvailable,
  MASTER_PERSISTENCE_TIMEOUT: RESPONSE_CODES.flushDiskTimeout,
  SLAVE_PERSISTENCE_TIMEOUT: RESPONSE_CODES.flushSlaveTimeout,
  NOT_IMPLEMENTED: RESPONSE_CODES.requestCodeNotSupported,
  UNSUPPORTED: RESPONSE_CODES.requestCodeNotSupported,
  VERSION_UNSUPPORTED: RESPONSE_CODES.requestCodeNotSupported,
};

type Execute = () => Promise<AdminAnswer | undefined>;

export class RequestFaults {
  constructor(private readonly broker: Pick<RemotingContext, 'faults' | 'realClock' | 'clients'>) {}

  /** Executes a request, unless a fault says otherwise. @returns undefined for no answer */
  async around(
    request: RemotingFrame,
    connection: ClientConnection,
    execute: Execute,
  ): Promise<AdminAnswer | undefined> {
    if (!this.broker.faults.hasRules) return execute();
    const ids = this.clientsOf(request, connection);
    const fault = this.broker.faults.takeFor(rpcsOf(request), ids);
    return fault === undefined ? execute() : this.applyFault(fault, ids, connection, execute);
  }

  private async applyFault(
    fault: FaultAction,
    ids: readonly string[],
    connection: ClientConnection,
    execute: Execute,
  ): Promise<AdminAnswer | undefined> {
    const { faults } = this.broker;
    switch (fault.kind) {
      case 'answer': {
        const scripted = {
          code: CODES[fault.code] ?? RESPONSE_CODES.systemError,
          remark: fault.message ?? 'scripted fault',
        };
        // What a client reads of a message that is stored is there.
        return saysStored(fault) ? { ...(await execute()), ...scripted } : scripted;
      }
      case 'delay':
        return (await this.wait(fault.delayMs, connection)) ? execute() : undefined;
      case 'dropResponse':
        await execute();
        return undefined;
      case 'cutStreams':
        for (const clientId of ids) faults.cutStreams(clientId);
        connection.close();
        return undefined;
      case 'loseSettings':
        for (const clientId of ids) faults.loseSettings(clientId);
        return execute();
    }
  }

  /** @returns false when the connection closes meanwhile, as all do when the broker stops */
  private async wait(delayMs: number, connection: ClientConnection): Promise<boolean> {
    const closing = new AbortController();
    const forget = connection.whenClosed(() => closing.abort());
    await sleep(this.broker.realClock, delayMs, closing.signal).catch(() => {});
    forget();
    return !closing.signal.aborted;
  }

  /** A connection is known by its heartbeats, of which this may be the first. */
  private clientsOf(request: RemotingFrame, connection: ClientConnection): readonly string[] {
    const known = this.broker.clients.idsAt(connection);
    return request.code === REQUEST_CODES.heartBeat ? [...new Set([...known, heartbeatIn(request).clientId])] : known;
  }
}

function rpcsOf({ code, fields }: RemotingFrame): readonly RpcName[] {
  const all = Object.entries(REQUESTS) as [RpcName, readonly Meant[]][];
  return all
    .filter(([, meant]) => meant.some((one) => one.code === code && one.when?.(fields) !== false))
    .map(([rpc]) => rpc);
}
