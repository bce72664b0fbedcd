// Maps request codes to their handlers: those of clients, and those of tools. The broker is its own name server, so the codes of name servers and
// brokers arrive at one port.

import { HALF_TOPIC } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { encodeStoredMessage, offsetMessageIdOf } from '../../protocol/remoting/stored-message.js';
import type { AdminAnswer } from '../admin/admin-answer.js';
import { AdminRequests } from '../admin/admin-requests.js';
import { storedFieldsOf } from '../admin/stored-fields.js';
import type { StoredMessage } from '../engine/records.js';
import { BROKER_NAME } from '../engine/server-names.js';
import { type DueCheck, transactionProperties } from '../engine/transactions.js';
import type { ClientConnection } from './client-connection.js';
import { PresenceRequests } from './presence-requests.js';
import { PullFilters } from './pull-filters.js';
import { PullRequests } from './pull-requests.js';
import { QueueRequests } from './queue-requests.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import { RequestWork } from './request-work.js';
import { producerGroupOf, SendRequests } from './send-requests.js';
import { ToolRequests } from './tool-requests.js';

export class ClientRequests {
  private readonly admin: AdminRequests;
  private readonly table: ReadonlyMap<number, ClientRequestTable[number][1]>;

  constructor(private readonly broker: RemotingContext) {
    this.admin = new AdminRequests(broker);
    const { topics, resets } = this.admin;
    const filters = new PullFilters();
    const all = [
      new SendRequests(broker),
      new PullRequests(broker, topics, filters, resets),
      new QueueRequests(broker, resets),
      new PresenceRequests(broker, filters),
      new ToolRequests(broker, this.admin),
    ];
    this.table = new Map(all.flatMap(({ table }) => table));
  }

  /** @throws AdminRefusal */
  async answer(request: RemotingFrame, connection: ClientConnection): Promise<AdminAnswer | undefined> {
    const handler = this.table.get(request.code);
    const work = new RequestWork(() => this.broker.activity.begin(`request ${request.code}`, connection.address));
    try {
      return await (handler === undefined ? this.admin.answer(request) : handler(request, connection, work));
    } finally {
      work.pause();
    }
  }

  /** Asks the next producer of the half message's group. @returns false if none is connected */
  check(check: DueCheck): boolean {
    const { topic, message, transactionId, times, number } = check;
    const group = producerGroupOf(topic, message);
    const producer = this.broker.clients.nextProducerOf(group);
    if (producer === undefined) return false;
    const { engine, clientTime } = this.broker;
    const address = this.broker.address();
    const commitLogOffset = engine.logOffsets.ofHalf(topic, number);
    const asked = { ...message, properties: { ...message.properties, ...transactionProperties(transactionId, times) } };
    const entry = { topic, queueId: 0, offset: number, message: withGroup(asked, group) };
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
    return true;
  }
}

/** @see MessageSysFlag of the server */
const COMMITTED = 8;

/** Clients find their producer by it. */
function withGroup(message: StoredMessage, group: string): StoredMessage {
  const { flag = 0, sysFlag = 0, properties = {} } = message.remoting ?? {};
  return { ...message, remoting: { flag, sysFlag, properties: { ...properties, PGROUP: group } } };
}
