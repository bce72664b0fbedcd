// Requests of tools about consumers that are connected by the remoting protocol, and questions that are passed on to them.

import { DELAY_LEVELS_MS } from '../../protocol/model/delay-levels.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { encodeStoredMessage, offsetInMessageId } from '../../protocol/remoting/stored-message.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { type AdminAnswer, AdminRejection, answerWith, numberIn, rejected, SUCCESS } from '../admin/admin-answer.js';
import type { AdminRequests } from '../admin/admin-requests.js';
import { storedFieldsOf } from '../admin/stored-fields.js';
import { BROKER_NAME, CLUSTER_NAME } from '../engine/server-names.js';
import { messageAt } from '../engine/views.js';
import type { RegisteredClient } from './registered-clients.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';

/** How long the server waits for the answer of a client. */
const RELAY_MS = 10 * SECOND_MS;

export class ToolRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.queryTopicConsumeByWho, (request) => this.groupsOf(request)],
    [REQUEST_CODES.getConsumerRunningInfo, (request) => this.relay(request, request.body)],
    [REQUEST_CODES.consumeMessageDirectly, (request) => this.handleOnce(request)],
    [REQUEST_CODES.viewMessageById, ({ fields }) => this.view(numberIn(fields, 'offset'))],
    [REQUEST_CODES.getBrokerConfig, () => configuration(this.broker.engine.isStrict)],
  ];

  constructor(
    private readonly broker: RemotingContext,
    private readonly admin: AdminRequests,
  ) {}

  /** Those that have consumed the topic, and those that are connected to. */
  private groupsOf({ fields: { topic = '' } }: RemotingFrame): AdminAnswer {
    const groupList = [
      ...new Set([...this.admin.offsets.groupsOf(topic), ...this.broker.clients.groupsReading(topic)]),
    ];
    return answerWith({ groupList });
  }

  private async handleOnce(request: RemotingFrame): Promise<AdminAnswer> {
    const offset = offsetInMessageId(request.fields.msgId ?? '');
    if (offset === undefined) throw rejected(`msgId "${request.fields.msgId ?? ''}" is not the id of a stored message`);
    const { body } = this.view(offset);
    return this.relay(request, body ?? Buffer.alloc(0));
  }

  /** Passes a question on to a consumer, and its answer back. */
  private async relay(request: RemotingFrame, body: Buffer): Promise<AdminAnswer> {
    const { consumerGroup: group = '', clientId = '' } = request.fields;
    const consumer = this.broker.clients.consumersOf(group).find((one) => one.clientId === clientId);
    if (consumer === undefined) return this.admin.answer(request);
    return this.askOf(consumer, request, body);
  }

  private async askOf(
    { connection, clientId }: RegisteredClient,
    { code, fields }: RemotingFrame,
    body: Buffer,
  ): Promise<AdminAnswer> {
    const { AccessKey: _, Signature: __, ...passed } = fields;
    const answer = await connection.ask({ code, fields: passed, body }, RELAY_MS);
    if (answer === undefined) {
      const message = `the consumer <${clientId}> did not answer within ${RELAY_MS} ms`;
      throw new AdminRejection(RESPONSE_CODES.consumeMessageTimeout, message);
    }
    return {
      code: answer.code as AdminAnswer['code'],
      remark: answer.remark,
      fields: answer.fields,
      body: answer.body,
    };
  }

  /** @param logOffset of the message @throws AdminRejection */
  private view(logOffset: number): AdminAnswer {
    const { engine, store, clientTime } = this.broker;
    const at = engine.logOffsets.at(logOffset);
    const message = at && messageAt(store, at.topic, at.queueId, at.offset);
    if (at === undefined || message === undefined) throw rejected(`can not find message by the offset, ${logOffset}`);
    const place = { address: this.broker.address(), clientTime, engine };
    return { ...SUCCESS, body: encodeStoredMessage(storedFieldsOf({ ...at, message }, place)) };
  }
}

/** What clients read of the configuration. */
function configuration(isStrict: boolean): AdminAnswer {
  const settings = {
    brokerName: BROKER_NAME,
    brokerClusterName: CLUSTER_NAME,
    maxMessageSize: LIMITS.bodyBytes,
    autoCreateTopicEnable: !isStrict,
    autoCreateSubscriptionGroup: !isStrict,
    messageDelayLevel: DELAY_LEVELS_MS.map(durationText).join(' '),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  return { ...SUCCESS, body: Buffer.from(lines.join('')) };
}

function durationText(ms: number): string {
  if (ms % HOUR_MS === 0) return `${ms / HOUR_MS}h`;
  return ms % MINUTE_MS === 0 ? `${ms / MINUTE_MS}m` : `${ms / SECOND_MS}s`;
}
