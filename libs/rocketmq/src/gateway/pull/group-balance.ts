// Which queues are this client's: asked again and again, since the members of a group come and go, and each works it out for itself.

import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { RETRY_PREFIX } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { jsonOf, textsIn } from '../../remoting/answers.js';
import type { TopicRoute } from '../../remoting/cluster.js';
import type { RemotingClient } from '../../remoting/remoting-client.js';
import { AbortSource } from '../../support/abort-source.js';
import { SystemClock, sleep } from '../../support/clock.js';
import { type Deadline, monotonicMs, withNotedEffects } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import { statusOf } from '../statuses.js';
import type { Topics } from '../topics.js';
import { type PulledQueue, shareOf } from './allocation.js';
import { membershipOf, type PullSessions } from './membership.js';

interface BalancePort {
  readonly clientId: string;
  readonly client: RemotingClient;
  readonly topics: Pick<Topics, 'route' | 'addressOf'>;
  readonly logger: Logger;
  /** Whether all queues are this client's, whoever else has them. */
  readonly isBroadcast: boolean;
  sessions(): PullSessions;
  /** Called with the topics of which anything may be this client's. */
  onWatched(topics: readonly string[]): void;
  /** Called with the queues of a topic that are this client's. */
  onShare(topic: string, share: Share): void;
}

/** What is this client's of one topic. */
export interface Share {
  readonly queues: readonly PulledQueue[];
  /** Whether the group has other members, of which one may have had a queue until now. */
  readonly hasOthers: boolean;
  /** The brokers of the topic that are there, and that have taken this client as a member. */
  readonly brokers: ReadonlySet<string>;
  /** When the broker was asked. */
  readonly askedAtMs: number;
}

/** The members of the group by the brokers that list them, of one balance. */
type MemberLists = Map<string, readonly string[] | undefined>;

/** Members of the group look at each other this often, as Java and Go do, and whenever a broker says that one came or left. */
const BALANCE_MS = 20_000;
/** While something is not known. */
const BALANCE_SOON_MS = 1_000;
const BALANCE_TIMEOUT_MS = 5_000;
/** A server that does not answer must leave time to ask another one. */
const ASK_TIMEOUT_MS = 1_000;

export class GroupBalance {
  private readonly ioClock = new SystemClock();
  private readonly routes = new Map<string, TopicRoute>();
  /** Whether a route could not be read, in this balance: the name servers are away. */
  private isWithoutRoutes = false;
  private isDue = true;
  private wake = (): void => {};

  constructor(private readonly port: BalancePort) {}

  /** Members may have come or left, or subscriptions or routes have changed. */
  soon(): void {
    this.isDue = true;
    this.wake();
  }

  /** Until the signal aborts. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.isDue = false;
      const isComplete = await withNotedEffects('share of the queues', BALANCE_TIMEOUT_MS, signal, (deadline) =>
        this.balance(deadline),
      ).catch((error: unknown) => {
        this.port.logger.debug('the queues of a group could not be shared out', { error: describeError(error) });
        return false;
      });
      if (signal.aborted) return;
      if (this.isDue) continue;
      const woken = new AbortSource();
      this.wake = () => woken.abort(new StateError('CLOSED', 'a share is due'));
      await sleep(this.ioClock, isComplete ? BALANCE_MS : BALANCE_SOON_MS, woken).catch(() => {});
    }
  }

  /** @returns whether everything that it needed to know was known */
  private async balance(deadline: Deadline): Promise<boolean> {
    const sessions = this.port.sessions();
    const { consumerGroup, topics } = membershipOf(sessions);
    // No broker has taken it as a member yet, after all were lost: what there is stays until one does.
    if (topics.size === 0) return false;
    const retries = this.port.isBroadcast ? [] : [`${RETRY_PREFIX}${consumerGroup}`];
    const watched = [...topics.keys(), ...retries];
    this.port.onWatched(watched);
    const askedAtMs = monotonicMs();
    this.isWithoutRoutes = false;
    let isComplete = true;
    const lists: MemberLists = new Map();
    for (const topic of watched) {
      const own = await this.ownQueues(topic, consumerGroup, { sessions, lists }, deadline);
      if (own === undefined) isComplete = false;
      else this.port.onShare(topic, { ...own, askedAtMs });
    }
    return isComplete && !this.isWithoutRoutes;
  }

  /** Undefined when it is not known: then what there is stays. */
  private async ownQueues(
    topic: string,
    consumerGroup: string,
    { sessions, lists }: { readonly sessions: PullSessions; readonly lists: MemberLists },
    deadline: Deadline,
  ): Promise<Omit<Share, 'askedAtMs'> | undefined> {
    const route = await this.route(topic, deadline);
    if (route === undefined) return undefined;
    const queues = route.brokers.flatMap(({ name: brokerName }) => {
      const { readable = 0 } = route.access.get(brokerName) ?? {};
      return Array.from({ length: readable }, (_, queueId) => ({ topic, brokerName, queueId }));
    });
    const pulled = route.brokers.flatMap(({ name }) => {
      const address = this.port.topics.addressOf(name) ?? '';
      return sessions.has(address) ? [{ name, address }] : [];
    });
    const brokers = new Set(pulled.map(({ name }) => name));
    const isAtPulled = ({ brokerName }: PulledQueue): boolean => brokers.has(brokerName);
    if (this.port.isBroadcast || pulled.length === 0)
      return { queues: queues.filter(isAtPulled), hasOthers: false, brokers };
    const addresses = pulled.map(({ address }) => address);
    const key = addresses.join();
    const members = lists.get(key) ?? (await this.members(addresses, consumerGroup, deadline));
    lists.set(key, members);
    // Whoever is not listed yet takes nothing, and those that are listed have all.
    if (members === undefined || !members.includes(this.port.clientId)) return undefined;
    const share = shareOf(this.port.clientId, members, queues);
    return { queues: share.filter(isAtPulled), hasOthers: members.length > 1, brokers };
  }

  /** The last one that is known, while no name server has one: members come and go all the same, and brokers list them. */
  private async route(topic: string, deadline: Deadline): Promise<TopicRoute | undefined> {
    const known = this.routes.get(topic);
    if (known !== undefined && this.isWithoutRoutes) return known;
    try {
      const route = await withNotedEffects('route', ASK_TIMEOUT_MS, deadline.signal, (own) =>
        this.port.topics.route(topic, own),
      );
      if (route !== undefined) this.routes.set(topic, route);
      return route ?? known;
    } catch (error) {
      const text = 'the route of a topic is not known at present: its queues are divided by the last one';
      if (!this.isWithoutRoutes && known !== undefined && !deadline.signal.aborted)
        this.port.logger.warn(text, { topic, error: describeError(error) });
      this.isWithoutRoutes = true;
      return known;
    }
  }

  /** Of the first broker that knows any. */
  private async members(
    addresses: readonly string[],
    consumerGroup: string,
    deadline: Deadline,
  ): Promise<readonly string[] | undefined> {
    for (const address of addresses) {
      const request = { code: REQUEST_CODES.getConsumerListByGroup, fields: { consumerGroup } };
      const answer = await withNotedEffects('members', ASK_TIMEOUT_MS, deadline.signal, (own) =>
        this.port.client.ask(address, request, own),
      ).catch(() => undefined);
      if (answer === undefined || statusOf(answer, address).code !== Code.OK) continue;
      const members = textsIn(jsonOf(answer).consumerIdList);
      if (members.length > 0) return members;
    }
    return undefined;
  }
}
