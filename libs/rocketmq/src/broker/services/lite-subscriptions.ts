// SyncLiteSubscription, and the lite topics of each connected client. In memory, as on the real server.

import { Code, LiteSubscriptionAction } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../../protocol/grpc/rpc.js';
import { MINUTE_MS } from '../../support/clock.js';
import { assertOwner } from '../access/access-control.js';
import type { GroupRecord } from '../store/records.js';
import type { BrokerContext } from './broker-context.js';
import type { CallContext } from './call-context.js';
import { subscriptionOf } from './sessions.js';
import { AnswerError, OK } from './status.js';
import { assertLiteTopic, groupName, topicName } from './validation.js';

/** A client may have this many lite topics more than the quota of its group: clients check the quota themselves. */
const QUOTA_MARGIN = 300;
/** A client that has not synchronized for this long has no subscriptions (`liteSubscriptionCheckTimeoutMills`). Real time. */
const EXPIRY_MS = 3 * MINUTE_MS;

/** So many clients have subscriptions; beyond that, the one that has been silent for longest loses them. */
const MAX_CLIENTS = 10_000;

/** Notifies a client that another one has taken a lite topic over. */
type TakenOver = (liteTopic: string) => void;

/** The lite topics of one client. */
interface ClientSubscription {
  readonly group: string;
  readonly topic: string;
  readonly liteTopics: Set<string>;
  readonly takenOver: TakenOver;
  updatedAtMs: number;
}

type LiteSubscriptionChange = Pick<RpcRequest<'syncLiteSubscription'>, 'action' | 'topic' | 'group' | 'liteTopicSet'>;

/** Who subscribes. */
interface LiteSubscriber extends Pick<CallContext, 'clientId'> {
  /** Undefined on a broker without users, and of clients whose sessions are their connections. */
  readonly user?: string | undefined;
  /** Default: by the stream of the client. */
  readonly takenOver?: TakenOver;
}

/** Handles the subscriptions of clients to lite topics. */
export class LiteSubscriptions {
  /** The one that has been silent for longest comes first. */
  private readonly clients = new Map<string, ClientSubscription>();

  constructor(private readonly broker: Pick<BrokerContext, 'engine' | 'realClock' | 'sessions' | 'polls'>) {}

  syncLiteSubscription(
    request: RpcRequest<'syncLiteSubscription'>,
    subscriber: LiteSubscriber,
  ): RpcResponse<'syncLiteSubscription'> {
    this.change(request, subscriber);
    return { status: OK };
  }

  /** @throws AnswerError */
  change(request: LiteSubscriptionChange, subscriber: LiteSubscriber): void {
    const { clientId, user } = subscriber;
    const topic = topicName(request.topic);
    const name = groupName(request.group);
    const { action, liteTopicSet } = request;
    if (action === LiteSubscriptionAction.PARTIAL_ADD) for (const one of liteTopicSet) assertLiteTopic(one);
    const group = this.groupOf(name);
    assertBound(group, topic);
    // A user who may consume for the group of a client may change its subscriptions: its access key may have changed.
    const session = this.broker.sessions.find(clientId);
    if (session !== undefined && subscriptionOf(session)?.group?.name !== name) assertOwner(session, user);
    const { subscriptionQuota = 0 } = group.lite ?? {};
    if (new Set(liteTopicSet).size > subscriptionQuota + QUOTA_MARGIN) {
      const message = `lite subscription quota exceeded: ${subscriptionQuota}`;
      throw new AnswerError(Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED, message);
    }
    this.apply(action, subscriber, group, topic, liteTopicSet);
  }

  /** The lite topics that a client of the group receives from. */
  of(clientId: string, group: string): readonly string[] {
    const found = this.clients.get(clientId);
    if (found === undefined || found.group !== group) return [];
    if (this.broker.realClock.nowMs() - found.updatedAtMs <= EXPIRY_MS) return [...found.liteTopics];
    this.clients.delete(clientId);
    return [];
  }

  /** A client has disconnected. */
  forget(clientId: string): void {
    this.clients.delete(clientId);
  }

  private apply(
    action: LiteSubscriptionAction,
    subscriber: LiteSubscriber,
    group: GroupRecord,
    topic: string,
    names: readonly string[],
  ): void {
    const { clientId } = subscriber;
    const own = (): Set<string> => this.subscriptionOf(subscriber, group.name, topic).liteTopics;
    switch (action) {
      case LiteSubscriptionAction.PARTIAL_ADD:
        if (group.lite?.exclusive === true) this.takeOver(clientId, group.name, names);
        for (const name of names) own().add(name);
        break;
      case LiteSubscriptionAction.PARTIAL_REMOVE:
        for (const name of names) own().delete(name);
        break;
      case LiteSubscriptionAction.COMPLETE_ADD: {
        const liteTopics = own();
        liteTopics.clear();
        for (const name of names) liteTopics.add(name);
        break;
      }
      case LiteSubscriptionAction.COMPLETE_REMOVE:
        this.clients.delete(clientId);
        break;
      default:
        throw new AnswerError(Code.BAD_REQUEST, `unknown LiteSubscriptionAction: ${action}`);
    }
    // Its waiting polls may find messages in the lite topics that were added.
    this.broker.polls.wake({ topic, group: group.name });
  }

  /** Ends the subscriptions of other clients of an exclusive group. */
  private takeOver(clientId: string, group: string, names: readonly string[]): void {
    for (const [other, { group: ofGroup, liteTopics, takenOver }] of this.clients) {
      if (other === clientId || ofGroup !== group) continue;
      for (const liteTopic of names) if (liteTopics.delete(liteTopic)) takenOver(liteTopic);
    }
  }

  private subscriptionOf(subscriber: LiteSubscriber, group: string, topic: string): ClientSubscription {
    const { clientId, takenOver = (liteTopic) => this.push(clientId, liteTopic) } = subscriber;
    const updatedAtMs = this.broker.realClock.nowMs();
    const found = this.clients.get(clientId);
    const isSame = found?.group === group && found.topic === topic;
    const liteTopics = isSame ? found.liteTopics : new Set<string>();
    const subscription: ClientSubscription = { group, topic, liteTopics, takenOver, updatedAtMs };
    this.clients.delete(clientId);
    this.clients.set(clientId, subscription);
    for (const silent of this.clients.keys()) {
      if (this.clients.size <= MAX_CLIENTS) break;
      this.clients.delete(silent);
    }
    return subscription;
  }

  private push(clientId: string, liteTopic: string): void {
    const command = { $case: 'notifyUnsubscribeLiteCommand', value: { liteTopic } } as const;
    this.broker.sessions.find(clientId)?.push?.({ status: undefined, command });
  }

  private groupOf(name: string): GroupRecord {
    const group = this.broker.engine.findGroup(name);
    if (group !== undefined) return group;
    throw new AnswerError(Code.ILLEGAL_CONSUMER_GROUP, `group not found: ${name}`);
  }
}

/** @throws AnswerError ILLEGAL_TOPIC unless the group receives lite topics of this topic */
export function assertBound({ name, lite }: GroupRecord, topic: string): void {
  if (lite?.topic === topic) return;
  const message = `lite group ${name} is expected to bind topic ${lite?.topic ?? null}, but actual is ${topic}`;
  throw new AnswerError(Code.ILLEGAL_TOPIC, message);
}
