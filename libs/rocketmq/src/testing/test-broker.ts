// The embedded broker for tests: what lies in it can be seen, and its time can be moved.

import { EmbeddedBroker } from '../broker/embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../broker/embedded-broker-options.js';
import type { StoredMessage } from '../broker/engine/records.js';
import type { GroupDeclaration, TopicDeclaration } from '../broker/engine/registry.js';
import {
  type DeliveryEntry,
  delayedMessages,
  halfMessages,
  messagesOf,
  unsettledDeliveries,
} from '../broker/engine/views.js';
import type { Faults } from '../broker/services/faults.js';
import type { MessageType } from '../protocol/message.js';
import { type Clock, SystemClock } from '../support/clock.js';
import { StateError } from '../support/errors.js';
import { ManualClock } from '../support/manual-clock.js';
import { untilQuiet } from './quiet.js';

const GUARD_MS = 5_000;

/** The options of `TestBroker.start()`: those of the embedded broker, and whose time it lives in. */
export interface TestBrokerOptions extends Omit<EmbeddedBrokerOptions, 'clock'> {
  /** Time stands still until `advance()` moves it. Hand `clock` to the clients too. Default false: real time. */
  readonly manualClock?: boolean;
}

/** A message in a test broker. */
export interface TestMessage {
  readonly topic: string;
  readonly messageId: string;
  readonly body: Buffer;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageType: MessageType;
  readonly messageGroup: string | undefined;
}

/** A visible message and its place. */
export interface VisibleMessage extends TestMessage {
  readonly queueId: number;
  readonly offset: number;
}

/** A message at a consumer that has neither settled it nor changed its lease. */
export interface InFlightMessage extends TestMessage {
  readonly group: string;
  /** The first delivery is 1. */
  readonly attempt: number;
  readonly leaseEndsAtMs: number;
}

/** A message that comes by itself later. `retry`: its consumer moved the end of the lease, to try later or to renew. */
export type WaitingMessage =
  | (TestMessage & { readonly kind: 'delayed'; readonly dueAtMs: number })
  | (TestMessage & {
      readonly kind: 'retry';
      readonly group: string;
      /** Deliveries so far. */
      readonly attempt: number;
      readonly dueAtMs: number;
    });

/** A message whose transaction has not ended. */
export interface HalfMessage extends TestMessage {
  readonly transactionId: string;
  /** Checks sent so far. */
  readonly checks: number;
  readonly nextCheckAtMs: number;
}

/** How `advance()` and `idle()` wait. */
export interface AdvanceOptions {
  /** How long each step may take to become quiet, in real time. Default 5 s. */
  readonly guardMs?: number;
  /**
   * Time also moves while handlers run and consumers hold messages: for handlers that outlive a lease or a check, and for
   * consumers that died with messages in hand. Default false.
   */
  readonly duringWork?: boolean;
}

/** An embedded broker in a test. */
export class TestBroker {
  private constructor(
    /** The broker itself. */
    readonly broker: EmbeddedBroker,
    /** The broker's time; hand it to clients, so that their waits move with `advance()`. */
    readonly clock: Clock,
    private readonly manualClock: ManualClock | undefined,
  ) {}

  /** Starts a broker on a free port of this machine. */
  static async start({ manualClock = false, ...options }: TestBrokerOptions = {}): Promise<TestBroker> {
    const manual = manualClock ? new ManualClock() : undefined;
    const clock = manual ?? new SystemClock();
    const broker = new EmbeddedBroker({ ...options, clock });
    await broker.start();
    return new TestBroker(broker, clock, manual);
  }

  /** Where clients connect: the option `endpoints` of the module. */
  get endpoints(): string {
    return this.broker.endpoints;
  }

  /** Where `RocketMQAdmin` connects. @throws StateError without the option `adminPort` */
  get adminEndpoint(): string {
    return this.broker.adminEndpoint;
  }

  /** Faults of single RPCs: answers with a code, delays, cuts, answers that get lost. */
  get faults(): Faults {
    return this.broker.faults;
  }

  /** Makes a topic. @throws UsageError `DECLARATION_CONFLICT` when it exists otherwise */
  declareTopic(declaration: TopicDeclaration): void {
    this.broker.declareTopic(declaration);
  }

  /** Makes a consumer group. @throws as {@link declareTopic} */
  declareGroup(declaration: GroupDeclaration): void {
    this.broker.declareGroup(declaration);
  }

  /** The visible messages of a topic, consumed or not, queue by queue. */
  messages(topic: string): VisibleMessage[] {
    return messagesOf(this.broker.inside.store, topic).map(({ message, queueId, offset }) => {
      return { ...toTestMessage(topic, message), queueId, offset };
    });
  }

  /** What consumers hold. */
  inFlight(): InFlightMessage[] {
    return inFlightOf(this.deliveries());
  }

  /** Delayed messages, then messages that are to be delivered again. */
  waiting(): WaitingMessage[] {
    const delayed = delayedMessages(this.broker.inside.store).map(({ topic, dueAtMs, message }): WaitingMessage => {
      return { ...toTestMessage(topic, message), kind: 'delayed', dueAtMs };
    });
    const retries = this.deliveries().flatMap(({ topic, group, record, message }): WaitingMessage[] => {
      const { state } = record;
      if (message === undefined || state.kind === 'acked' || (state.kind === 'leased' && !state.changed)) return [];
      const dueAtMs = state.kind === 'leased' ? state.endsAtMs : state.sinceMs;
      const attempt = message.earlierAttempts + record.attempt;
      return [{ ...toTestMessage(topic, message), kind: 'retry', group, attempt, dueAtMs }];
    });
    return [...delayed, ...retries];
  }

  /** The messages of transactions that have not ended. */
  halfMessages(): HalfMessage[] {
    return halfMessages(this.broker.inside.store).map(({ topic, half }) => {
      const { transactionId, checks, nextCheckAtMs } = half;
      return { ...toTestMessage(topic, half.message), transactionId, checks, nextCheckAtMs };
    });
  }

  /**
   * Waits until all that can happen now has happened: no tracked work on the clock, no RPC in progress (a long poll that
   * waits is none), no message at a consumer that may still settle it. A message of an ordered group does not count: its
   * consumer may be waiting by itself before it tries again, or for the message before it.
   * @throws StateError `NOT_QUIET` that names who still works
   */
  async idle({ guardMs = GUARD_MS, duringWork = false }: AdvanceOptions = {}): Promise<void> {
    const { activity } = this.broker.inside;
    await untilQuiet({ blockers: () => this.blockers(duringWork), progress: () => activity.count }, guardMs);
  }

  /**
   * Moves time: to each moment at which something is due, one after the other, and lets all that can happen there happen.
   * @throws StateError `NOT_QUIET` that names who still works; `REAL_TIME` when the broker has no manual clock
   */
  async advance(durationMs: number, options: AdvanceOptions = {}): Promise<void> {
    const clock = this.manualClock;
    if (clock === undefined) {
      throw new StateError('REAL_TIME', 'this broker lives in real time; start it with manualClock: true to move time');
    }
    await this.idle(options);
    const targetMs = clock.nowMs() + durationMs;
    while (clock.nowMs() < targetMs) {
      clock.advanceTo(Math.min(clock.nextDueAtMs() ?? targetMs, targetMs));
      await this.idle(options);
    }
  }

  /** Stops the broker. Repeating it is harmless. */
  stop(): Promise<void> {
    return this.broker.stop();
  }

  private deliveries(): DeliveryEntry[] {
    return unsettledDeliveries(this.broker.inside.store);
  }

  private blockers(duringWork: boolean): string[] {
    const { activity, isDispatching } = this.broker.inside;
    const blockers = [...activity.labels()];
    if (isDispatching()) blockers.push('a long poll about to get messages');
    if (this.manualClock !== undefined) {
      const dueAtMs = this.manualClock.nextDueAtMs();
      if (dueAtMs !== undefined && dueAtMs <= this.manualClock.nowMs()) blockers.push('a task that is due now');
    }
    if (duringWork) return blockers;
    const held = this.deliveries().filter(({ fifo }) => !fifo);
    return [...blockers, ...(this.manualClock?.activeWork() ?? []), ...inFlightOf(held).map(describeInFlight)];
  }
}

function inFlightOf(deliveries: readonly DeliveryEntry[]): InFlightMessage[] {
  return deliveries.flatMap(({ topic, group, record, message }) => {
    if (record.state.kind !== 'leased' || record.state.changed || message === undefined) return [];
    const attempt = message.earlierAttempts + record.attempt;
    return [{ ...toTestMessage(topic, message), group, attempt, leaseEndsAtMs: record.state.endsAtMs }];
  });
}

function describeInFlight({ topic, group, messageId, attempt }: InFlightMessage): string {
  return `message ${messageId} of topic ${topic}, attempt ${attempt}, at a consumer of group ${group}`;
}

function toTestMessage(topic: string, message: StoredMessage): TestMessage {
  const { messageId, body, tag, keys, properties, type, messageGroup } = message;
  return { topic, messageId, body, tag, keys, properties, messageType: type, messageGroup };
}
