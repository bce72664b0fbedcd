// Heartbeat and NotifyClientTermination.

import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../../protocol/grpc/rpc.js';
import { assertOwner } from '../access/access-control.js';
import { Rejection } from '../engine/rejection.js';
import { StoreFailure } from '../store/store-failure.js';
import type { BrokerContext } from './broker-context.js';
import type { CallContext } from './call-context.js';
import type { LiteSubscriptions } from './lite-subscriptions.js';
import { isConsumer, subscriptionOf } from './sessions.js';
import { AnswerError, OK } from './status.js';
import { groupName } from './validation.js';

export class Clients {
  constructor(
    private readonly broker: BrokerContext,
    private readonly lite: LiteSubscriptions,
  ) {
    // A lease that the server renews for a silent client ends when the client is removed, not at the next renewal.
    broker.sessions.whenGone((session) => {
      const group = subscriptionOf(session)?.group?.name;
      try {
        if (group !== undefined) this.releaseLeases(group, session.clientId);
      } catch (error) {
        // No caller waits for a response, and the store has already reported its failure.
        if (!(error instanceof StoreFailure)) throw error;
      }
    });
  }

  heartbeat({ group }: RpcRequest<'heartbeat'>, { clientId }: CallContext): RpcResponse<'heartbeat'> {
    const session = this.broker.sessions.require(clientId);
    if (isConsumer(session)) this.assertGroup(groupName(group));
    this.broker.sessions.heartbeat(session);
    return { status: OK };
  }

  notifyClientTermination(
    { group }: RpcRequest<'notifyClientTermination'>,
    { clientId, user }: CallContext,
  ): RpcResponse<'notifyClientTermination'> {
    const session = this.broker.sessions.require(clientId);
    assertOwner(session, user);
    // The settings are removed first: a consumer without a group in its request gets an error, but is removed as well.
    this.broker.sessions.remove(clientId);
    this.lite.forget(clientId);
    if (isConsumer(session)) this.releaseLeases(groupName(group), clientId);
    return { status: OK };
  }

  private releaseLeases(group: string, clientId: string): void {
    this.broker.engine.releaseLeases(group, clientId, this.broker.clock.nowMs());
  }

  private assertGroup(name: string): void {
    try {
      this.broker.engine.group(name);
    } catch (error) {
      if (error instanceof Rejection && error.reason === 'unknown-group')
        throw new AnswerError(Code.ILLEGAL_CONSUMER_GROUP, error.message);
      throw error;
    }
  }
}
