// Heartbeat and NotifyClientTermination.

import { Code } from '../../protocol/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../../protocol/rpc.js';
import { Refusal } from '../engine/refusal.js';
import type { BrokerContext } from './broker-context.js';
import type { CallContext } from './call-context.js';
import { isConsumer } from './sessions.js';
import { AnswerError, OK } from './status.js';
import { groupName } from './validation.js';

export class Clients {
  constructor(private readonly broker: BrokerContext) {}

  heartbeat({ group }: RpcRequest<'heartbeat'>, { clientId }: CallContext): RpcResponse<'heartbeat'> {
    const session = this.broker.sessions.require(clientId);
    if (isConsumer(session)) this.assertGroup(groupName(group));
    this.broker.sessions.heartbeat(session);
    return { status: OK };
  }

  notifyClientTermination(
    { group }: RpcRequest<'notifyClientTermination'>,
    { clientId }: CallContext,
  ): RpcResponse<'notifyClientTermination'> {
    const session = this.broker.sessions.require(clientId);
    // The settings go first: a consumer that forgets its group is told so and gone all the same.
    this.broker.sessions.remove(clientId);
    if (isConsumer(session)) this.broker.engine.releaseLeases(groupName(group), clientId, this.broker.clock.nowMs());
    return { status: OK };
  }

  private assertGroup(name: string): void {
    try {
      this.broker.engine.group(name);
    } catch (error) {
      if (error instanceof Refusal) throw new AnswerError(Code.ILLEGAL_CONSUMER_GROUP, error.message);
      throw error;
    }
  }
}
