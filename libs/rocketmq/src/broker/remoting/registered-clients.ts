// The clients of the remoting protocol that sent a heartbeat: who asks about half messages, who shares the queues of a group.

import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { LANGUAGES, type RemotingFrame } from '../../protocol/remoting/frame.js';
import { type Clock, MINUTE_MS, type ScheduledTask, SECOND_MS } from '../../support/clock.js';
import type { ClientConnection } from './client-connection.js';
import type { ConsumerData, Heartbeat, ReadSubscription } from './heartbeat.js';

/** A client that is silent for so long is gone (`CHANNEL_EXPIRED_TIMEOUT`). */
const EXPIRY_MS = 2 * MINUTE_MS;
const SWEEP_MS = 10 * SECOND_MS;

/** A client of a group, at a connection. */
export interface RegisteredClient {
  readonly clientId: string;
  readonly connection: ClientConnection;
  /** What its program is: see `RemotingFrame.version`. */
  readonly version: number;
  /** The name of its language. */
  readonly language: string;
  readonly seenAtMs: number;
}

/** A client with all of its groups. */
export interface ListedClient {
  readonly client: RegisteredClient;
  readonly producerGroups: readonly string[];
  readonly consumers: readonly ListedConsumer[];
}

interface ListedConsumer {
  readonly group: string;
  readonly consumeType: string;
  readonly topics: readonly string[];
}

/** The consumers of a group, and what all of them read: the server has one subscription of a topic for a whole group. */
interface ConsumerGroup {
  readonly members: Map<ClientConnection, RegisteredClient>;
  readonly subscriptions: Map<string, ReadSubscription>;
  data: ConsumerData;
}

/** Keeps them by group and connection. */
export class RegisteredClients {
  private readonly producers = new Map<string, Map<ClientConnection, RegisteredClient>>();
  private readonly consumers = new Map<string, ConsumerGroup>();
  /** In how many groups each client is, once for each of its connections. */
  private readonly memberships = new Map<string, number>();
  /** The ids that a connection has sent heartbeats of. */
  private readonly ids = new WeakMap<ClientConnection, Set<string>>();
  private sweeper: ScheduledTask | undefined;
  private turn = 0;
  private isClosed = false;

  /** @param realClock for how long a client is silent */
  constructor(private readonly realClock: Clock) {}

  close(): void {
    this.isClosed = true;
    this.sweeper?.cancel();
    this.producers.clear();
    this.consumers.clear();
    this.memberships.clear();
  }

  /** Takes a heartbeat. Consumers are notified when their group has a new member, or another topic. */
  register(
    connection: ClientConnection,
    { clientId, producerGroups, consumers }: Heartbeat,
    { version, language = '' }: Pick<RemotingFrame, 'version' | 'language'>,
  ): void {
    if (this.isClosed || connection.isClosed) return;
    const known = LANGUAGES.includes(language) ? language : 'OTHER';
    const client = { clientId, connection, version, language: known, seenAtMs: this.realClock.nowMs() };
    for (const group of producerGroups) {
      const clients = this.producers.get(group) ?? new Map<ClientConnection, RegisteredClient>();
      this.enter(clients, client);
      this.producers.set(group, clients);
    }
    for (const data of consumers) {
      const isNew = this.join(client, data);
      if (isNew) this.notify(data.group);
    }
    this.identify(connection).add(clientId);
    this.sweepLater();
  }

  /** Removes a client from its groups. */
  unregister(clientId: string, producerGroup: string | undefined, consumerGroup: string | undefined): void {
    if (producerGroup !== undefined) this.retire(producerGroup, (one) => one.clientId === clientId);
    if (consumerGroup !== undefined) this.leave(consumerGroup, (one) => one.clientId === clientId);
  }

  /** Makes the broker forget clients until their next heartbeats. @param clientId undefined: all */
  lose(clientId: string | undefined): void {
    this.forget((one) => clientId === undefined || one.clientId === clientId);
  }

  /** Whether heartbeats of a client came by this connection. */
  isAt(clientId: string, connection: ClientConnection): boolean {
    return this.ids.get(connection)?.has(clientId) === true;
  }

  /** The clients whose heartbeats came by a connection. */
  idsAt(connection: ClientConnection): readonly string[] {
    return [...(this.ids.get(connection) ?? [])];
  }

  has(clientId: string): boolean {
    return this.memberships.has(clientId);
  }

  /** Each client once. */
  all(): ListedClient[] {
    const listed = new Map<
      string,
      { client: RegisteredClient; producerGroups: string[]; consumers: ListedConsumer[] }
    >();
    const entryOf = (client: RegisteredClient) => {
      const entry = listed.get(client.clientId) ?? { client, producerGroups: [], consumers: [] };
      listed.set(client.clientId, entry);
      return entry;
    };
    for (const [group, clients] of this.producers) {
      for (const client of clients.values()) entryOf(client).producerGroups.push(group);
    }
    for (const [group, { members, subscriptions, data }] of this.consumers) {
      const consumer = { group, consumeType: data.consumeType, topics: [...subscriptions.keys()] };
      for (const client of members.values()) entryOf(client).consumers.push(consumer);
    }
    return [...listed.values()];
  }

  /** What the consumers of each group read. */
  groupTopics(): { readonly group: string; readonly topic: string }[] {
    return [...this.consumers].flatMap(([group, { subscriptions }]) =>
      Array.from(subscriptions.keys(), (topic) => ({ group, topic })),
    );
  }

  /** The consumers of a group, in the order in which they came. */
  consumersOf(group: string): readonly RegisteredClient[] {
    return [...(this.consumers.get(group)?.members.values() ?? [])];
  }

  consumerAt(group: string, connection: ClientConnection): RegisteredClient | undefined {
    return this.consumers.get(group)?.members.get(connection);
  }

  /** What the consumers of a group said last; undefined if there are none. */
  consumerDataOf(group: string): ConsumerData | undefined {
    const known = this.consumers.get(group);
    return known && { ...known.data, subscriptions: [...known.subscriptions.values()] };
  }

  subscriptionOf(group: string, topic: string): ReadSubscription | undefined {
    return this.consumers.get(group)?.subscriptions.get(topic);
  }

  /** The producers of each group. */
  producersByGroup(): Map<string, readonly RegisteredClient[]> {
    return new Map(Array.from(this.producers, ([group, clients]) => [group, [...clients.values()]]));
  }

  /** The next producer of a group, one after the other. */
  nextProducerOf(group: string): RegisteredClient | undefined {
    const clients = [...(this.producers.get(group)?.values() ?? [])];
    return clients[this.turn++ % Math.max(1, clients.length)];
  }

  producerWithId(clientId: string): RegisteredClient | undefined {
    for (const clients of this.producers.values()) {
      for (const client of clients.values()) if (client.clientId === clientId) return client;
    }
    return undefined;
  }

  /** The groups with consumers that read a topic. */
  groupsReading(topic: string): string[] {
    return [...this.consumers].filter(([, { subscriptions }]) => subscriptions.has(topic)).map(([group]) => group);
  }

  private identify(connection: ClientConnection): Set<string> {
    const known = this.ids.get(connection);
    if (known !== undefined) return known;
    connection.whenClosed(() => this.forget((one) => one.connection === connection));
    const ids = new Set<string>();
    this.ids.set(connection, ids);
    return ids;
  }

  /** @returns whether the group has changed: a member is new, or a topic came or went */
  private join(client: RegisteredClient, data: ConsumerData): boolean {
    const known = this.consumers.get(data.group);
    const group = known ?? { members: new Map(), subscriptions: new Map(), data };
    if (known === undefined) this.consumers.set(data.group, group);
    const isNew = !group.members.has(client.connection);
    this.enter(group.members, client);
    group.data = data;
    return readTopics(group.subscriptions, data.subscriptions) || isNew;
  }

  /** The producers of a group that are gone. */
  private retire(name: string, isGone: (one: RegisteredClient) => boolean): void {
    const clients = this.producers.get(name);
    if (clients === undefined) return;
    this.remove(clients, isGone);
    if (clients.size === 0) this.producers.delete(name);
  }

  private leave(name: string, isGone: (one: RegisteredClient) => boolean): void {
    const group = this.consumers.get(name);
    if (group === undefined) return;
    const before = group.members.size;
    this.remove(group.members, isGone);
    if (group.members.size === 0) this.consumers.delete(name);
    else if (group.members.size < before) this.notify(name);
  }

  private forget(isGone: (one: RegisteredClient) => boolean): void {
    for (const group of [...this.producers.keys()]) this.retire(group, isGone);
    for (const group of [...this.consumers.keys()]) this.leave(group, isGone);
  }

  private enter(members: Map<ClientConnection, RegisteredClient>, client: RegisteredClient): void {
    this.count(members.get(client.connection), -1);
    this.count(client, 1);
    members.set(client.connection, client);
  }

  private remove(members: Map<ClientConnection, RegisteredClient>, isGone: (one: RegisteredClient) => boolean): void {
    for (const [connection, one] of members) {
      if (!isGone(one)) continue;
      members.delete(connection);
      this.count(one, -1);
    }
  }

  private count(client: RegisteredClient | undefined, change: 1 | -1): void {
    if (client === undefined) return;
    const count = (this.memberships.get(client.clientId) ?? 0) + change;
    if (count === 0) this.memberships.delete(client.clientId);
    else this.memberships.set(client.clientId, count);
  }

  /** Also the one who came: it may have divided the queues before it was known. */
  private notify(group: string): void {
    for (const { connection } of this.consumersOf(group)) {
      connection.notify({ code: REQUEST_CODES.notifyConsumerIdsChanged, fields: { consumerGroup: group } });
    }
  }

  private sweepLater(): void {
    this.sweeper ??= this.realClock.schedule(SWEEP_MS, () => {
      this.sweeper = undefined;
      const sinceMs = this.realClock.nowMs() - EXPIRY_MS;
      this.forget(({ seenAtMs }) => seenAtMs < sinceMs);
      if (this.producers.size + this.consumers.size > 0) this.sweepLater();
    });
  }
}

/** @returns whether a topic came or went; another filter of a known one does not count */
function readTopics(known: Map<string, ReadSubscription>, said: readonly ReadSubscription[]): boolean {
  let hasChanged = false;
  for (const one of said) {
    const before = known.get(one.topic);
    hasChanged ||= before === undefined;
    if (before === undefined || one.subVersion > before.subVersion) known.set(one.topic, one);
  }
  const topics = new Set(said.map(({ topic }) => topic));
  for (const topic of [...known.keys()]) {
    if (!topics.has(topic)) {
      known.delete(topic);
      hasChanged = true;
    }
  }
  return hasChanged;
}
