// Routes and assignments: the queues of a topic and their addresses, which are all those of this broker.

import {
  type Endpoints,
  type MessageQueue,
  Permission,
  type Resource,
  MessageType as WireType,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { toWireMessageType } from '../../protocol/grpc/message-mapping.js';
import type { RpcRequest, RpcResponse } from '../../protocol/grpc/rpc.js';
import { BROKER_NAME } from '../engine/server-names.js';
import type { TopicRecord } from '../store/records.js';
import { type BrokerContext, wireEndpoints } from './broker-context.js';
import { OK } from './status.js';
import { groupName, topicName } from './validation.js';

/** A topic created on first use gets the type of its first message; until then it accepts any type. */
const ANY_TYPE = [WireType.NORMAL, WireType.FIFO, WireType.DELAY, WireType.TRANSACTION];
/** The maximum number of requested addresses that a route returns, because each queue repeats them all. */
const MAX_ASKED = 16;

export class Routes {
  constructor(private readonly broker: BrokerContext) {}

  queryRoute({ topic, endpoints }: RpcRequest<'queryRoute'>): RpcResponse<'queryRoute'> {
    const record = this.broker.engine.topic(topicName(topic));
    const acceptMessageTypes = record.type === undefined ? ANY_TYPE : [toWireMessageType(record.type)];
    const messageQueues = queueIds(record).map((id) => ({ ...this.queue(topic, id, endpoints), acceptMessageTypes }));
    return { status: OK, messageQueues };
  }

  /** One assignment for all queues; an ordered group gets one for each queue (PROTOCOL 5.1). */
  queryAssignment({ topic, group, endpoints }: RpcRequest<'queryAssignment'>): RpcResponse<'queryAssignment'> {
    const record = this.broker.engine.topic(topicName(topic));
    const { fifo = false, lite } = this.broker.engine.findGroup(groupName(group)) ?? {};
    const ids = fifo && lite === undefined ? queueIds(record) : [-1];
    return { status: OK, assignments: ids.map((id) => ({ messageQueue: this.queue(topic, id, endpoints) })) };
  }

  private queue(topic: Resource | undefined, id: number, asked: Endpoints | undefined): MessageQueue {
    return {
      topic,
      id,
      permission: Permission.READ_WRITE,
      broker: { name: BROKER_NAME, id: 0, endpoints: this.endpoints(asked) },
      acceptMessageTypes: [],
    };
  }

  private endpoints(asked: Endpoints | undefined): Endpoints {
    const count = asked?.addresses.length ?? 0;
    if (this.broker.advertiseAsAsked && asked !== undefined && count > 0 && count <= MAX_ASKED) return asked;
    return wireEndpoints(this.broker.addresses());
  }
}

function queueIds({ queues }: TopicRecord): number[] {
  return Array.from({ length: queues }, (_, id) => id);
}
