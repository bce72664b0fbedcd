// Requests about who is there: heartbeats (34), leaving (35), the members of a group (38), and whether a filter can be read (46).

import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { type AdminAnswer, AdminRejection, answerWith, SUCCESS } from '../admin/admin-answer.js';
import { groupNameOf } from '../admin/group-config.js';
import { Rejection } from '../engine/rejection.js';
import type { ClientConnection } from './client-connection.js';
import { heartbeatIn } from './heartbeat.js';
import type { PullFilters } from './pull-filters.js';
import type { ClientRequestTable, RemotingContext } from './remoting-context.js';
import { objectIn, objectsIn } from './request-body.js';

export class PresenceRequests {
  readonly table: ClientRequestTable = [
    [REQUEST_CODES.heartBeat, (request, connection) => this.heartbeat(request, connection)],
    [REQUEST_CODES.unregisterClient, ({ fields }) => this.unregister(fields)],
    [REQUEST_CODES.getConsumerListByGroup, ({ fields }) => this.members(fields)],
    [REQUEST_CODES.checkClientConfig, (request) => this.check(request)],
  ];

  constructor(
    private readonly broker: RemotingContext,
    private readonly filters: PullFilters,
  ) {}

  /** As on the server, a group that does not exist and must not be created is no error: its consumers are not listed. */
  private async heartbeat(request: RemotingFrame, connection: ClientConnection): Promise<AdminAnswer> {
    const heartbeat = heartbeatIn(request);
    const consumers = heartbeat.consumers.filter(({ group }) => this.hasGroup(group));
    this.broker.clients.register(connection, { ...heartbeat, consumers }, request);
    await this.broker.store.flush();
    return SUCCESS;
  }

  private hasGroup(name: string): boolean {
    const { engine } = this.broker;
    try {
      const group = engine.group(groupNameOf(name));
      if (engine.findTopic(`%RETRY%${group.name}`) === undefined) engine.administration.ensureRetryTopic(group.name);
      return true;
    } catch (error) {
      if (error instanceof AdminRejection || (error instanceof Rejection && error.reason === 'unknown-group'))
        return false;
      throw error;
    }
  }

  private unregister({ clientID = '', producerGroup, consumerGroup }: RemotingFrame['fields']): AdminAnswer {
    this.broker.clients.unregister(clientID, producerGroup, consumerGroup);
    return SUCCESS;
  }

  private members({ consumerGroup = '' }: RemotingFrame['fields']): AdminAnswer {
    const consumers = this.broker.clients.consumersOf(consumerGroup);
    if (consumers.length === 0)
      throw new AdminRejection(RESPONSE_CODES.systemError, `no consumer for this group, ${consumerGroup}`);
    return answerWith({ consumerIdList: consumers.map(({ clientId }) => clientId) });
  }

  /** @see CheckClientRequestBody of the server */
  private async check(request: RemotingFrame): Promise<AdminAnswer> {
    if (request.body.length === 0) return SUCCESS;
    const [subscription] = objectsIn([objectIn(request).subscriptionData]);
    const { expressionType, subString } = subscription ?? {};
    if (typeof subString === 'string') await this.filters.of(String(expressionType), subString);
    return SUCCESS;
  }
}
