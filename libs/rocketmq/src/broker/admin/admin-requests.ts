// Maps the request codes of the remoting protocol to their handlers. The broker is its own name server, so the codes of name servers
// and brokers arrive at one port.

import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { type AdminAnswer, AdminRejection } from './admin-answer.js';
import type { AdminContext, RequestHandler } from './admin-context.js';
import { ClusterRequests } from './cluster-requests.js';
import { GroupRequests } from './group-requests.js';
import { MessageRequests } from './message-requests.js';
import { OffsetRequests } from './offset-requests.js';
import { OffsetResets } from './offset-resets.js';
import { TopicRequests } from './topic-requests.js';

export class AdminRequests {
  /** What pulls must learn of the offsets that operators set. */
  readonly resets = new OffsetResets();
  readonly topics: TopicRequests;
  readonly offsets: OffsetRequests;
  private readonly table: ReadonlyMap<number, RequestHandler>;

  constructor(broker: AdminContext) {
    const topics = new TopicRequests(broker);
    this.topics = topics;
    this.offsets = new OffsetRequests(broker, topics, this.resets);
    const all = [
      topics,
      new GroupRequests(broker),
      new ClusterRequests(broker),
      this.offsets,
      new MessageRequests(broker),
    ];
    this.table = new Map(all.flatMap(({ table }) => table));
  }

  /** @throws AdminRejection */
  async answer(request: RemotingFrame): Promise<AdminAnswer> {
    const handler = this.table.get(request.code);
    if (handler !== undefined) return handler(request);
    const message = `request code ${request.code} is not supported by the embedded broker`;
    throw new AdminRejection(RESPONSE_CODES.requestCodeNotSupported, message);
  }
}
