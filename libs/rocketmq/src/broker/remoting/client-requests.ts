// Maps request codes to their handlers: those of clients, and those of tools. The broker is its own name server, so the codes of name servers and
// brokers arrive at one port.

import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import type { AdminAnswer } from '../admin/admin-answer.js';
import { AdminRequests } from '../admin/admin-requests.js';
import type { DueCheck } from '../engine/transactions.js';
import { AssignmentRequests } from './assignment-requests.js';
import type { ClientConnection } from './client-connection.js';
import { ConnectionRequests } from './connection-requests.js';
import { LiteRequests } from './lite-requests.js';
import { PopRequests } from './pop-requests.js';
import { PresenceRequests } from './presence-requests.js';
import { PullFilters } from './pull-filters.js';
import { PullRequests } from './pull-requests.js';
import { QueueRequests } from './queue-requests.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import { ReplyRequests } from './reply-requests.js';
import { RequestFaults } from './request-faults.js';
import { RequestWork } from './request-work.js';
import { SendRequests } from './send-requests.js';
import { SettleRequests } from './settle-requests.js';
import { ToolRequests } from './tool-requests.js';
import { TransactionRequests } from './transaction-requests.js';
import { WaitingRequests } from './waiting-requests.js';

export class ClientRequests {
  private readonly admin: AdminRequests;
  private readonly transactions: TransactionRequests;
  private readonly faults: RequestFaults;
  private readonly table: ReadonlyMap<number, ClientRequestTable[number][1]>;

  constructor(private readonly broker: RemotingContext) {
    this.admin = new AdminRequests(broker);
    this.faults = new RequestFaults(broker);
    const { topics, resets } = this.admin;
    const filters = new PullFilters();
    const waiting = new WaitingRequests(broker);
    this.transactions = new TransactionRequests(broker);
    const queues = new QueueRequests(broker, resets);
    const sends = new SendRequests(broker, (group) => queues.hasLocks(group));
    const all = [
      sends,
      new ReplyRequests(broker, sends),
      this.transactions,
      new PullRequests(broker, topics, filters, resets, waiting),
      new PopRequests(broker, filters, waiting),
      new SettleRequests(broker),
      new LiteRequests(broker, broker.lite, waiting),
      new AssignmentRequests(broker),
      queues,
      new PresenceRequests(broker, filters),
      new ToolRequests(broker, this.admin),
      new ConnectionRequests(broker, this.admin),
    ];
    this.table = new Map(all.flatMap(({ table }) => table));
  }

  /** @throws AdminRejection */
  async answer(request: RemotingFrame, connection: ClientConnection): Promise<AdminAnswer | undefined> {
    const handler = this.table.get(request.code);
    const work = new RequestWork(() => this.broker.activity.begin(`request ${request.code}`, connection.address));
    const execute = () => (handler === undefined ? this.admin.answer(request) : handler(request, connection, work));
    try {
      if (!this.broker.faults.hasRules) return await execute();
      return await this.faults.around(request, connection, async () => execute());
    } finally {
      work.pause();
    }
  }

  /** Asks the next producer of the half message's group. @returns its client id, or undefined if none is connected */
  check(check: DueCheck): string | undefined {
    return this.transactions.check(check);
  }
}
