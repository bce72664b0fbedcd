// The routes and types of topics, as name servers and brokers know them, in the gRPC model.

import {
  AddressScheme,
  Code,
  type MessageQueue,
  MessageType,
  Permission,
  type Status,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { type Layout, parseLayout } from '../protocol/model/layout.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import { jsonOf } from '../remoting/answers.js';
import type { MasterBroker, TopicRoute } from '../remoting/cluster.js';
import type { ClusterAccess } from '../remoting/cluster-access.js';
import { splitAddress } from '../remoting/remoting-connection.js';
import { type Deadline, withNotedEffects } from '../support/deadline.js';
import { TransportError } from '../support/errors.js';
import type { Logger } from '../support/logger.js';
import { OK, rejection, statusOf } from './statuses.js';

/** How long a broker may take to say the type of a topic, while others may answer. */
const TYPE_MS = 1_000;

const TYPES: Readonly<Record<string, readonly MessageType[]>> = {
  NORMAL: [MessageType.NORMAL],
  FIFO: [MessageType.FIFO],
  DELAY: [MessageType.DELAY],
  TRANSACTION: [MessageType.TRANSACTION],
  PRIORITY: [MessageType.PRIORITY],
  LITE: [MessageType.LITE],
};

/** Types whose messages keep an order, by their message group or lite topic. */
const ORDERED: readonly MessageType[] = [MessageType.FIFO, MessageType.LITE];

/** The queues of a topic, in the gRPC model. */
interface FoundQueues {
  /** Why there are none, if a name server does not know the topic. */
  readonly status: Status;
  /** One entry for each. */
  readonly queues: readonly MessageQueue[];
  /** See ORDER_TOPIC_CONFIG of the server; undefined where none is set, and for topics without order. */
  readonly order: Layout | undefined;
}

/** Asks name servers for routes, and brokers for the types of topics. */
export class Topics {
  private readonly known = new Map<string, TopicRoute>();
  /** The address of each master, by the name of its broker. */
  private readonly masters = new Map<string, string>();
  /** The order configurations at the latest question, by topic. */
  private readonly orders = new Map<string, string>();
  private readonly warned = new Set<string>();
  /** The brokers whose master was missing in the latest route that names them. */
  private readonly masterless = new Set<string>();

  /** @param mapAddress how this process reaches a broker that registered with an address */
  constructor(
    private readonly cluster: ClusterAccess,
    private readonly mapAddress: (address: string) => string,
    private readonly logger: Logger,
  ) {}

  /** All queues. @throws TransportError (not-sent) while the masters of all brokers are missing */
  async queues(topic: string, deadline: Deadline): Promise<FoundQueues> {
    const route = await this.route(topic, deadline);
    if (route === undefined) {
      const status = rejection(Code.TOPIC_NOT_FOUND, `no name server has a route of topic "${topic}"`);
      return { status, queues: [], order: await this.orderOf(topic, undefined, deadline) };
    }
    const types = await this.types(topic, route, deadline);
    const queues = mastersOf(route).flatMap((broker) => queuesOn(broker, topic, route, types));
    const keepsOrder = types.length === 0 || types.some((type) => ORDERED.includes(type));
    return { status: OK, queues, order: keepsOrder ? await this.orderOf(topic, route, deadline) : undefined };
  }

  private async orderOf(topic: string, route: TopicRoute | undefined, deadline: Deadline): Promise<Layout | undefined> {
    if (route?.order !== undefined) return route.order;
    const last = this.orders.get(topic);
    const text = await this.cluster.orderConfiguration(topic, deadline, last);
    if (text === undefined) {
      this.orders.delete(topic);
      return undefined;
    }
    this.orders.set(topic, text);
    const layout = parseLayout(text);
    if (layout === undefined && text !== last) {
      const problem =
        'the order configuration of a topic is not of the form "broker-a:8;broker-b:8" and is not used; set or remove it';
      this.logger.warn(problem, { topic, orderConfiguration: text });
    }
    return layout;
  }

  /**
   * One entry per broker for all its readable queues; where the group is ordered, one per queue.
   * @param isOrderedAt whether it is, on the broker at this address
   * @throws TransportError (not-sent) while the masters of all brokers are missing
   */
  async readable(
    topic: string,
    isOrderedAt: (address: string) => boolean,
    deadline: Deadline,
  ): Promise<readonly MessageQueue[] | Status> {
    const route = await this.route(topic, deadline);
    if (route === undefined) return rejection(Code.TOPIC_NOT_FOUND, `no name server has a route of topic "${topic}"`);
    const queues = mastersOf(route).flatMap((broker) => {
      const { readable = 0 } = route.access.get(broker.name) ?? {};
      const isOrdered = isOrderedAt(this.mapAddress(broker.address));
      const ids = isOrdered ? Array.from({ length: readable }, (_, id) => id) : readable > 0 ? [-1] : [];
      return ids.map((id) => queueEntry(broker, topic, id, Permission.READ_WRITE, []));
    });
    return queues.length > 0 ? queues : rejection(Code.FORBIDDEN, `topic "${topic}" has no readable queue`);
  }

  /** @throws TransportError (not-sent) while slaves act as masters of all brokers of the topic: they store no messages */
  assertStoresMessages(topic: string): void {
    const route = this.known.get(topic);
    if (route !== undefined && isOnlyRead(route)) throw slavesAct(topic, route.acting);
  }

  /** The address of the master with this name, by the latest route that names it. */
  addressOf(name: string): string | undefined {
    return this.masters.get(name);
  }

  /** The name of the master at this address, by the latest route that names it. */
  nameAt(address: string): string | undefined {
    for (const [name, at] of this.masters) if (at === address) return name;
    return undefined;
  }

  /** Its route now; undefined when no name server has one. @throws TransportError (not-sent) while the masters of all brokers are missing */
  async route(topic: string, deadline: Deadline): Promise<TopicRoute | undefined> {
    const route = await this.cluster.route(topic, deadline);
    // A name server that has restarted knows no topic before its brokers register again. Brokers reject a topic that was deleted.
    if (route === undefined) return undefined;
    this.reportMasterless(topic, route);
    this.known.set(topic, route);
    for (const { name, address } of route.brokers) {
      this.masters.set(name, this.mapAddress(address));
      this.masterless.delete(name);
    }
    return route;
  }

  /**
   * A slave that does not act as master is not read from, as the proxy does: it forgets acknowledgements, and hands out the same messages
   * again every five seconds. Its messages wait for the master.
   */
  private reportMasterless(topic: string, { brokers, masterless }: TopicRoute): void {
    const news = masterless.filter((name) => !this.masterless.has(name));
    for (const name of news) this.masterless.add(name);
    if (masterless.length > 0 && brokers.length === 0) throw masterIsMissing(topic, masterless);
    if (news.length === 0) return;
    const text =
      'the master of a broker is missing, and no slave acts as master: its messages are received when it is back';
    this.logger.warn(text, { brokers: news.join(', ') });
  }

  private warnOnce(topic: string, answer: string): void {
    if (this.warned.has(topic)) return;
    this.warned.add(topic);
    const text =
      'the type of a topic cannot be read, so messages of every type are sent to it; with ACL 2.0, grant Get on the topic';
    this.logger.warn(text, { topic, answer });
  }

  /** Empty when the topic has no type: brokers then take messages of every type. The first broker that answers decides. */
  private async types(topic: string, route: TopicRoute, { signal }: Deadline): Promise<readonly MessageType[]> {
    const request = { code: REQUEST_CODES.getTopicConfig, fields: { topic } };
    const asked = mastersOf(route).map(async (broker) => {
      const reached = { ...broker, address: this.mapAddress(broker.address) };
      // A broker of 4.x has no types. Such a question ends with an error.
      const answer = await withNotedEffects(`type of topic ${topic}`, TYPE_MS, signal, (own) =>
        this.cluster.ask(reached, request, own, { isOptional: true }),
      );
      const { code, message } = statusOf(answer, reached.address);
      if (code !== Code.OK) {
        this.warnOnce(topic, message);
        throw new Error(message);
      }
      const { attributes } = jsonOf(answer);
      const type = (attributes as Record<string, unknown> | null | undefined)?.['message.type'];
      return typeof type === 'string' ? (TYPES[type] ?? []) : [];
    });
    // A topic whose brokers cannot be asked now may be of any type.
    return Promise.any(asked).catch(() => []);
  }
}

/** Whether messages wait for a master, as opposed to a topic that its owner closed for writing. */
function isOnlyRead({ acting, access }: TopicRoute): boolean {
  return acting.length > 0 && [...access.values()].every(({ writable }) => writable === 0);
}

function slavesAct(topic: string, brokers: readonly string[]): TransportError {
  const names = brokers.map((name) => `"${name}"`).join(', ');
  const text = `topic "${topic}": a slave acts as the master of ${names} and stores no messages; nothing was sent; start the master`;
  return new TransportError('UNAVAILABLE', text, 'not-sent', true);
}

function masterIsMissing(topic: string, brokers: readonly string[]): TransportError {
  const names = brokers.map((name) => `"${name}"`).join(', ');
  const problem = `topic "${topic}": the master of ${names} is not registered, and no slave acts as master`;
  const advice =
    'start the master, or set enableSlaveActingMaster on the brokers and supportActingMaster on the name servers';
  return new TransportError('UNAVAILABLE', `${problem}; nothing took effect; ${advice}`, 'not-sent', true);
}

/** Without those that have no queue of the topic. */
function mastersOf({ brokers, access }: TopicRoute): readonly MasterBroker[] {
  return brokers.filter(({ name }) => access.has(name));
}

function queuesOn(
  broker: MasterBroker,
  topic: string,
  route: TopicRoute,
  types: readonly MessageType[],
): MessageQueue[] {
  const { readable, writable: own } = route.access.get(broker.name) ?? { readable: 0, writable: 0 };
  // Producers then try, and learn from `assertStoresMessages` why they cannot, and that they may repeat it.
  const writable = isOnlyRead(route) && route.acting.includes(broker.name) ? readable : own;
  const permission = (id: number): Permission =>
    id >= readable ? Permission.WRITE : id >= writable ? Permission.READ : Permission.READ_WRITE;
  const count = Math.max(readable, writable);
  // A topic that can be neither read nor written is known nevertheless.
  if (count === 0) return [queueEntry(broker, topic, 0, Permission.NONE, types)];
  return Array.from({ length: count }, (_, id) => queueEntry(broker, topic, id, permission(id), types));
}

function queueEntry(
  { name, address }: MasterBroker,
  topic: string,
  id: number,
  permission: Permission,
  types: readonly MessageType[],
): MessageQueue {
  const endpoints = { scheme: AddressScheme.DOMAIN_NAME, addresses: [splitAddress(address)] };
  return {
    topic: { resourceNamespace: '', name: topic },
    id,
    permission,
    broker: { name, id: 0, endpoints },
    acceptMessageTypes: [...types],
  };
}
