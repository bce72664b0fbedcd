// Replies (324, 325): the broker pushes each to the client that waits for it (326), and then answers who replied.

import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { decodeProperties, encodeProperties } from '../../protocol/remoting/stored-message.js';
import { SECOND_MS } from '../../support/clock.js';
import { type AdminAnswer, rejected, SUCCESS } from '../admin/admin-answer.js';
import type { ClientConnection } from './client-connection.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import { REGION, type SendRequests } from './send-requests.js';
import type { SendFields } from './sent-messages.js';

/** How long the server waits for the answer of the client to which it pushes. @see Broker2Client.callClient of the server */
const PUSH_MS = 10 * SECOND_MS;
/** The property that names the client. */
const REPLY_TO = 'REPLY_TO_CLIENT';

export class ReplyRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.sendReplyMessage, (request, connection) => this.reply(request, connection)],
    [REQUEST_CODES.sendReplyMessageV2, (request, connection) => this.reply(request, connection)],
  ];

  constructor(
    private readonly broker: RemotingContext,
    private readonly sends: Pick<SendRequests, 'checkedFields'>,
  ) {}

  /** Unlike the server, this broker does not store it. @see ReplyMessageProcessor of the server */
  private async reply(request: RemotingFrame, { address }: ClientConnection): Promise<AdminAnswer> {
    const send = this.sends.checkedFields(request);
    const properties = decodeProperties(send.properties);
    const clientId = properties.get(REPLY_TO);
    if (clientId === undefined) throw rejected(`reply message properties[${REPLY_TO}] is null`);
    const client = this.broker.clients.producerWithId(clientId);
    if (client === undefined) throw rejected(`push reply message fail, channel of <${clientId}> not found.`);
    const { clock, clientTime } = this.broker;
    const nowMs = clientTime.toClient(clock.nowMs());
    const added = Object.entries({ ...REGION, PUSH_REPLY_TIME: String(nowMs) });
    const pushed = { ...send, properties: encodeProperties([...properties, ...added]) };
    const fields = this.pushedFields(pushed, address, nowMs);
    const push = { code: REQUEST_CODES.pushReplyMessageToClient, fields, body: request.body };
    const answer = await client.connection.ask(push, PUSH_MS);
    if (answer?.code !== SUCCESS.code) throw rejected(`push reply message to ${clientId} fail.`);
    const place = { msgId: '0', queueId: String(Math.max(0, send.queueId)), queueOffset: '0' };
    return { ...SUCCESS, fields: { ...place, ...REGION } };
  }

  /** @see ReplyMessageRequestHeader of the server */
  private pushedFields(send: SendFields, bornHost: string, storeTimestamp: number): Record<string, string> {
    const { producerGroup, topic, defaultTopic, defaultTopicQueueNums, queueId, sysFlag, flag } = send;
    const { bornTimestampMs, properties, reconsumeTimes } = send;
    const numbers = { defaultTopicQueueNums, queueId, sysFlag, bornTimestamp: bornTimestampMs, flag, reconsumeTimes };
    const texts = Object.entries({ ...numbers, storeTimestamp }).map(([name, value]) => [name, String(value)]);
    const storeHost = this.broker.address();
    return { producerGroup, topic, defaultTopic, properties, bornHost, storeHost, ...Object.fromEntries(texts) };
  }
}
