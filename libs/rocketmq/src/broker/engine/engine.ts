// The engine: synchronous decisions over the state in the store, without I/O or timers of its own. Every command has the current
// time as a parameter, `tick` does what is due, and `nextDueAtMs` returns when something is due next.
// Over 300 lines: one method per command, most of them one call.

import { pauseRejection } from '../../protocol/model/group-pause.js';
import { HOUR_MS } from '../../support/clock.js';
import { DamagedRecord } from '../store/damaged-record.js';
import { type Due, type GroupRecord, isOrdered, keys, type TopicRecord } from '../store/records.js';
import type { Store } from '../store/store.js';
import { Administration } from './administration.js';
import { Changes } from './changes.js';
import { DelayedMessages } from './delayed-messages.js';
import { type ChangeRequest, Deliveries, type HandleRef } from './deliveries.js';
import type { EngineListener } from './engine-listener.js';
import { Interventions } from './interventions.js';
import { LiteTopics } from './lite-topics.js';
import { MessageLog } from './log.js';
import { LogOffsets } from './log-offsets.js';
import { popOrdered } from './ordered-pop.js';
import type { PopRequest, PopResult } from './pop.js';
import { Pop, queueTurns } from './pop.js';
import { type GroupDeclaration, Registry, type TopicAlteration, type TopicDeclaration } from './registry.js';
import { Rejection } from './rejection.js';
import { Retention, type RetentionLimits } from './retention.js';
import { type Destinations, type SendRequest, type SendResult, send } from './send.js';
import { type SendBackRequest, sendBack } from './send-back.js';
import { StoreRoom } from './store-room.js';
import { Traffic } from './traffic.js';
import { Trail } from './trail.js';
import { type TransactionEnd, Transactions, type TransactionTiming } from './transactions.js';
import { popByPriority, popUnordered } from './unordered-pop.js';
import { dueBy, nextDue } from './views.js';

/** The interval at which work that failed because of a damaged record is retried. */
const DAMAGE_INTERVAL_MS = HOUR_MS;

export interface EngineOptions {
  readonly strict: boolean;
  readonly recallEnabled: boolean;
  readonly timing: TransactionTiming;
  /** Whether messages are indexed by id and key, and their trail is kept, for tools. Default: false. */
  readonly indexed?: boolean;
  /**
   * The engine rejects messages, and topics and groups on first use, that would make the store larger, and new deliveries once it is larger by
   * a quarter. Default: no limit.
   */
  readonly maxStoreBytes?: number | undefined;
  /** The engine rejects messages of new lite topics beyond this number. Default: no limit. */
  readonly maxLiteTopics?: number;
  /** What `sweep` keeps. Default: everything. */
  readonly retention?: RetentionLimits;
}

/** The behavior of the broker, independent of the protocol. */
export class Engine {
  private readonly registry: Registry;
  /** Whether topics and groups must be declared. */
  readonly isStrict: boolean;
  readonly administration: Administration;
  readonly interventions: Interventions;
  /** The offsets by which clients of the remoting protocol name messages. */
  readonly logOffsets: LogOffsets;
  /** The traffic since this engine was created. */
  readonly traffic = new Traffic();
  /** What became of messages since this engine was created; undefined without an index. */
  readonly trail: Trail | undefined;
  private readonly log: MessageLog;
  private readonly liteTopics: LiteTopics;
  private readonly deliveries: Deliveries;
  private readonly delayed: DelayedMessages;
  private readonly transactions: Transactions;
  private readonly retention: Retention;
  private readonly destinations: Destinations;
  private readonly room: StoreRoom;
  private firstQueue = 0;
  private passed = 0;
  /** Nothing is due before this time. */
  private lookAtMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly store: Store,
    options: EngineOptions,
    private readonly listener: EngineListener,
  ) {
    this.room = new StoreRoom(store, options.maxStoreBytes ?? Number.POSITIVE_INFINITY);
    this.isStrict = options.strict;
    this.registry = new Registry(options.strict, (messages) => this.room.assert(messages));
    this.log = new MessageLog(options.indexed === true);
    this.liteTopics = new LiteTopics(options.maxLiteTopics ?? Number.POSITIVE_INFINITY);
    this.trail = options.indexed === true ? new Trail(store) : undefined;
    this.deliveries = new Deliveries(this.log, this.registry);
    this.delayed = new DelayedMessages(this.log, this.registry, options.recallEnabled);
    this.transactions = new Transactions(this.log, this.registry, options.timing);
    const { registry, log, liteTopics, delayed, transactions } = this;
    this.destinations = { registry, log, liteTopics, delayed, transactions };
    const { retention = { maxAgeMs: undefined, maxBytes: undefined } } = options;
    this.retention = new Retention(store, this.log, this.deliveries, retention);
    const run = <T>(command: (changes: Changes) => T): T => this.run(command);
    this.administration = new Administration(run, this.registry, this.log, this.deliveries, this.liteTopics);
    this.logOffsets = new LogOffsets(store, run);
    this.interventions = new Interventions(run, this.log, this.deliveries, this.delayed);
  }

  /**
   * Must be called at each start, after the store is opened: ends the renewal of leases from before.
   * @param gap a random number: what was lost with the last process, and not flushed, has receipt handles that must not fit again
   */
  endRenewals(gap: number): void {
    this.run((changes) => this.deliveries.endRenewals(changes, gap));
  }

  declareTopic(declaration: TopicDeclaration): void {
    this.run((changes) => this.registry.declareTopic(changes, declaration));
  }

  declareGroup(declaration: GroupDeclaration): void {
    this.run((changes) => this.registry.declareGroup(changes, declaration));
  }

  /** Creates or alters a topic. */
  alterTopic(alteration: TopicAlteration): void {
    this.run((changes) => this.registry.alterTopic(changes, alteration));
  }

  /** Creates or alters a group. */
  alterGroup(group: GroupRecord): void {
    this.run((changes) => this.registry.alterGroup(changes, group));
  }

  /** Returns the topic if it exists; never creates it. */
  findTopic(name: string): TopicRecord | undefined {
    return this.store.get(keys.topic(name)) as TopicRecord | undefined;
  }

  /** Every topic. */
  topics(): TopicRecord[] {
    return Array.from(this.store.scan(keys.topics), ([, topic]) => topic as TopicRecord);
  }

  /** Every group. */
  groups(): GroupRecord[] {
    return Array.from(this.store.scan(keys.groups), ([, group]) => group as GroupRecord);
  }

  /** @throws Rejection `unknown-topic` */
  topic(name: string): TopicRecord {
    return this.run((changes) => this.registry.topic(changes, name));
  }

  /** Returns the group if it exists; never creates it. */
  findGroup(name: string): GroupRecord | undefined {
    return this.store.get(keys.group(name)) as GroupRecord | undefined;
  }

  /** @throws Rejection `unknown-group` */
  group(name: string, fifoWhenNew = false): GroupRecord {
    return this.run((changes) => this.registry.group(changes, name, fifoWhenNew));
  }

  /** @throws Rejection `unknown-topic`, `type-conflict`, `store-full`, `too-many-lite-topics`; in that case no message is stored */
  send(request: SendRequest): SendResult[] {
    const { topic, messages } = request;
    if (messages.length === 0) return [];
    this.room.assert(messages);
    const results = this.run((changes) => send(changes, this.destinations, request));
    this.traffic.sent(topic, messages);
    const delayed = results.filter(({ recallHandle }) => recallHandle !== undefined);
    if (delayed.length > 0) this.traffic.timer.begun.add(delayed.length, request.nowMs);
    return results;
  }

  /** @throws Rejection `group-paused` */
  assertDelivers(group: string): void {
    if (this.findGroup(group)?.isPaused === true) throw new Rejection('group-paused', pauseRejection(group));
  }

  /** @throws Rejection `unknown-topic`, `group-paused`; `store-full` or DamagedRecord when there is nothing else to deliver */
  pop(request: PopRequest): PopResult {
    this.assertDelivers(request.group.name);
    const result = this.run((changes) => {
      const topic = this.registry.topic(changes, request.topic);
      const pop = new Pop(changes, request, this.log, this.deliveries, this.room.isCrowded);
      const turns = this.turnsOf(changes, topic, request);
      if (isOrdered(request.group)) popOrdered(pop, turns);
      else if (topic.type === 'priority' && request.queueId === undefined) popByPriority(pop, turns);
      else popUnordered(pop, turns);
      const { result, damage, isWithheld } = pop;
      if (isWithheld && result.deliveries.length === 0 && result.skipped === 0)
        throw this.room.full('no message was delivered');
      if (damage !== undefined) {
        this.listener.damaged(damage);
        if (result.deliveries.length === 0 && result.skipped === 0) throw damage;
      }
      return result;
    });
    this.traffic.handedOut(request.topic, request.group.name, result.deliveries, request.nowMs);
    this.listener.delivered?.(request.group.name, result.deliveries);
    return result;
  }

  /** @throws Rejection `dead-handle` */
  ack(request: HandleRef): void {
    this.run((changes) => this.deliveries.ack(changes, request));
  }

  /** @returns the new receipt handle @throws Rejection `dead-handle` */
  changeInvisible(request: ChangeRequest): string {
    return this.run((changes) => this.deliveries.change(changes, request));
  }

  /** @throws Rejection `dead-handle` */
  forwardToDeadLetters(request: HandleRef): void {
    this.run((changes) => this.deliveries.forward(changes, request));
  }

  /** Releases the messages whose leases the broker renews for a client of the group. */
  releaseLeases(group: string, clientId: string, nowMs: number): void {
    this.run((changes) => this.deliveries.release(changes, group, clientId, nowMs));
  }

  /** @throws Rejection `unknown-transaction` */
  endTransaction(end: TransactionEnd): void {
    const hasEnded = this.run((changes) => this.transactions.end(changes, end));
    if (hasEnded) this.traffic.ended(end.topic, end.resolution);
  }

  /** @throws Rejection `store-full`; in that case nothing is stored */
  sendBack(request: SendBackRequest): void {
    this.room.assert([request.copy]);
    this.run((changes) => sendBack(changes, this.destinations, request));
  }

  /** Resumes the checks of a half message that was given up. @throws Rejection `unknown-transaction`, `unknown-topic` */
  resumeTransaction(offset: number, nowMs: number): void {
    this.run((changes) => this.transactions.resume(changes, offset, nowMs));
  }

  /** @returns the message id @throws Rejection `recall-disabled`, `recall-invalid`, `recall-late`, `type-conflict`, `unknown-topic` */
  recall(topic: string, recallHandle: string, nowMs: number, isTyped = true): string {
    return this.run((changes) => this.delayed.recall(changes, topic, recallHandle, nowMs, isTyped));
  }

  /** The next due time; undefined if nothing is scheduled. */
  nextDueAtMs(): number | undefined {
    const atMs = nextDue(this.store)?.atMs;
    this.lookAtMs = atMs ?? Number.POSITIVE_INFINITY;
    return atMs;
  }

  /**
   * When to call `tick` next; undefined if not at all. This is a cached bound of {@link nextDueAtMs}: never later, but possibly
   * earlier, because what was due then may have been settled. Unlike that method, it reads nothing.
   */
  get nextLookAtMs(): number | undefined {
    return this.lookAtMs === Number.POSITIVE_INFINITY ? undefined : this.lookAtMs;
  }

  /**
   * Does what is due by now, in order of due time.
   * @param most about this many events, so that the process can do other work before the next call. Default: all
   */
  tick(nowMs: number, most = Number.POSITIVE_INFINITY): void {
    const enough = this.passed + most;
    for (let next = dueBy(this.store, nowMs); next.length > 0; next = dueBy(this.store, nowMs)) {
      for (const { atMs, due } of next) this.perform(atMs, due, nowMs);
      if (this.passed >= enough) break;
    }
    this.nextDueAtMs();
  }

  /** How many due events have been performed since this engine was created. */
  get duePassed(): number {
    return this.passed;
  }

  /** Deletes a batch of messages that exceed the retention limits. @returns whether more may be left */
  sweep(nowMs: number): boolean {
    return this.unlessDamaged(() => this.run((changes) => this.retention.sweep(changes, nowMs))) ?? false;
  }

  private turnsOf(changes: Changes, topic: TopicRecord, { liteTopics, queueId }: PopRequest): number[] {
    if (queueId !== undefined) return [queueId];
    const first = this.firstQueue++;
    if (liteTopics === undefined) {
      const turns = queueTurns(topic, first);
      return topic.type === 'lite' ? [...turns, ...this.liteTopics.queuesOf(changes, topic.name)] : turns;
    }
    const queues = liteTopics.flatMap((liteTopic) => this.liteTopics.find(changes, topic.name, liteTopic) ?? []);
    const start = queues.length === 0 ? 0 : first % queues.length;
    return [...queues.slice(start), ...queues.slice(0, start)];
  }

  private perform(atMs: number, due: Due, nowMs: number): void {
    this.passed++;
    const isDone = this.unlessDamaged(() => {
      this.performAll(atMs, due, nowMs);
      return true;
    });
    if (isDone) return;
    // The work stays due; it is retried, and reported again, after this interval.
    this.run((changes) => {
      changes.deleteDue(atMs, due);
      changes.putDue(nowMs + DAMAGE_INTERVAL_MS, due);
    });
  }

  /** Reports the error of background work, which has no caller that could catch it. */
  private unlessDamaged<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof DamagedRecord)) throw error;
      this.listener.damaged(error);
      return undefined;
    }
  }

  private performAll(atMs: number, due: Due, nowMs: number): void {
    const outcome = this.run((changes) => {
      changes.deleteDue(atMs, due);
      if (due.kind === 'lease') this.endLease(changes, due, atMs);
      if (due.kind === 'delayed') this.delayed.deliver(changes, due.key, nowMs);
      return due.kind === 'check' ? this.transactions.check(changes, due.key, nowMs) : undefined;
    });
    if (due.kind === 'delayed') this.traffic.timer.ended.add(1, nowMs);
    if (outcome?.kind === 'ask') this.listener.checkDue(outcome.check);
    if (outcome?.kind === 'givenUp') this.listener.transactionGivenUp(outcome.topic, outcome.transactionId);
  }

  private endLease(changes: Changes, { queue, offset }: Extract<Due, { kind: 'lease' }>, atMs: number): void {
    this.deliveries.endLease(changes, queue, offset, atMs, (clientId) => this.listener.isPresent(clientId));
  }

  /** Runs a command atomically: when it throws, none of its changes are applied. */
  private run<T>(command: (changes: Changes) => T): T {
    const changes = new Changes(this.store);
    const result = command(changes);
    if (changes.commit()) {
      if (changes.firstDueAtMs < this.lookAtMs) this.lookAtMs = changes.firstDueAtMs;
      this.listener.committed();
      for (const available of changes.available) this.listener.available(available);
      if (changes.deadLetters !== undefined) this.traffic.deadLettered(changes.deadLetters);
      if (changes.acks !== undefined) for (const mark of changes.acks) this.listener.acked?.(mark);
      if (changes.trail !== undefined) for (const note of changes.trail) this.trail?.add(note);
    }
    return result;
  }
}
