// The embedded broker for tests: its messages can be inspected, and its time can be moved.

import { EmbeddedBroker } from '../broker/embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../broker/embedded-broker-options.js';
import type { GroupDeclaration, TopicDeclaration } from '../broker/engine/registry.js';
import type { Faults } from '../broker/services/faults.js';
import type { Store } from '../broker/store/store.js';
import { type StepOptions, TimeSteps } from '../broker/time/time-steps.js';
import { type Clock, SystemClock } from '../support/clock.js';
import { StateError, UsageError } from '../support/errors.js';
import { ManualClock } from '../support/manual-clock.js';
import { BrokerObservation } from './broker-observation.js';
import { type Closable, Closables, throwAny } from './closables.js';
import { DeliveryHistory } from './delivery-history.js';
import { OBSERVE, type Observation } from './observation.js';
import {
  deadLettersOf,
  type HalfMessage,
  type InFlightMessage,
  messagesHeldInOrder,
  messagesInFlight,
  openHalfMessages,
  type PendingMessage,
  pendingMessages,
  type TestDeadLetter,
  type VisibleMessage,
  visibleMessages,
  type WaitingMessage,
  waitingMessages,
} from './test-messages.js';

const GUARD_MS = 5_000;
/** The last moment that a Date can be. */
const MAX_DATE_MS = 8.64e15;
/** How long a matcher and a reset wait: less than the 5 s that Jest and Vitest give a test, so that their error is seen. */
const SHORT_GUARD_MS = 3_000;

/** The options of `TestBroker.start()`: those of the embedded broker, and its clock. */
export interface TestBrokerOptions extends Omit<EmbeddedBrokerOptions, 'clock' | 'timeTravel' | 'manualClock'> {
  /** Time stands still until `advance()` moves it. Pass `clock` to the clients, too. Default false: real time. */
  readonly manualClock?: boolean;
}

/** How `advance()` and `idle()` wait. */
export interface AdvanceOptions {
  /** How long each step may take to become quiet, in milliseconds of real time. Default 5 s. */
  readonly guardMs?: number;
  /**
   * Time also moves while handlers run and consumers hold messages: for handlers that outlive a lease or a check, and for
   * consumers that crashed while they held messages. Default false.
   */
  readonly duringWork?: boolean;
}

/** An embedded broker in a test. */
export class TestBroker {
  /** @internal What is closed before it stops. */
  readonly closables = new Closables();
  private readonly timeSteps: TimeSteps;
  private readonly history = new DeliveryHistory();
  private stopping: Promise<void> | undefined;
  /** @internal Whether one of the tests that share this broker runs. */
  isInTest = false;
  /** How often the waits of a test were ended. */
  private ends = 0;

  private constructor(
    /** The broker itself. */
    readonly broker: EmbeddedBroker,
    /** The broker's time; pass it to clients, so that their waits move with `advance()`. */
    readonly clock: Clock,
    private readonly manualClock: ManualClock | undefined,
  ) {
    this.timeSteps = new TimeSteps(broker.inside, clock, manualClock, true, () => manualClock?.knowsWork === true);
    broker.inside.watch(this.history);
  }

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

  /** Where `RocketMQAdmin` connects. @throws StateError without the option `nameServerPort` */
  get nameServerEndpoint(): string {
    return this.broker.nameServerEndpoint;
  }

  /** Where a `ControlClient` connects. @throws StateError without the option `controlPort` */
  get controlEndpoint(): string {
    return this.broker.controlEndpoint;
  }

  /** Faults of single RPCs: answers with a code, delays, disconnects, lost answers. */
  get faults(): Faults {
    return this.broker.faults;
  }

  /** Creates a topic. @throws UsageError `DECLARATION_CONFLICT` when it exists with other settings */
  declareTopic(declaration: TopicDeclaration): void {
    this.broker.declareTopic(declaration);
  }

  /** Creates a consumer group. @throws as {@link declareTopic} */
  declareGroup(declaration: GroupDeclaration): void {
    this.broker.declareGroup(declaration);
  }

  /** The visible messages of a topic, consumed or not, queue by queue. */
  messages(topic: string): VisibleMessage[] {
    return visibleMessages(this.store, topic);
  }

  /** The dead letters of a consumer group, the oldest first. */
  deadLetters(group: string): TestDeadLetter[] {
    return deadLettersOf(this.store, group);
  }

  /**
   * What consumers hold and have not renewed. A renewal and a retry are the same request, so a message whose lease was renewed is
   * in {@link waiting}, as a `retry`, although its consumer may still hold it. {@link idle} and {@link advance} then wait for its handler
   * only if the consumer uses the manual `clock`.
   */
  inFlight(): InFlightMessage[] {
    return messagesInFlight(this.store);
  }

  /** Delayed messages, then messages that will be redelivered, or whose lease was renewed. */
  waiting(): WaitingMessage[] {
    return waitingMessages(this.store);
  }

  /** The messages of transactions that have not ended. */
  halfMessages(): HalfMessage[] {
    return openHalfMessages(this.store);
  }

  /** Everything with a due time, the earliest first: delayed messages, retries, leases, half messages. */
  pending(): PendingMessage[] {
    return pendingMessages(this.store);
  }

  /**
   * Waits until everything that can happen now has happened: no tracked work on the clock, no open RPC (a long poll that
   * waits does not count), no message {@link inFlight}. With a manual clock that clients have, a message of an ordered group does not
   * count: its consumer may be waiting for its next attempt, or for the message before it, and the clock tracks handlers.
   * @throws StateError `NOT_QUIET` that names the work that continues; `WAIT_ENDED` when the broker stops or is reset meanwhile
   */
  idle(options: AdvanceOptions = {}): Promise<void> {
    return this.timeSteps.idle(this.steps(options));
  }

  /**
   * Moves time: to each moment at which something is due, one after another, and waits until it has happened.
   * @throws StateError as {@link idle}; `REAL_TIME` when the broker has no manual clock
   * @throws UsageError `ILLEGAL_DURATION` unless it is a number of milliseconds of at least 0, before the end of all dates
   */
  async advance(durationMs: number, options: AdvanceOptions = {}): Promise<void> {
    const clock = this.manualClock;
    if (clock === undefined) {
      throw new StateError('REAL_TIME', 'this broker runs in real time; start it with manualClock: true to move time');
    }
    if (!(durationMs >= 0 && clock.nowMs() + durationMs <= MAX_DATE_MS)) {
      const message = `durationMs must be a number of milliseconds of at least 0 that leads to a date, not ${durationMs}; time has not moved`;
      throw new UsageError('ILLEGAL_DURATION', message, 'durationMs');
    }
    await this.timeSteps.advance(clock, clock.nowMs() + durationMs, this.steps(options));
  }

  /**
   * Closes an application, a consumer, a producer or a connection before the broker stops, the last first; with a broker that tests share,
   * at the end of the test that called this. It is then closed whether the test succeeds, fails or times out. Each close may take 30 s.
   * @returns the resource
   */
  closeLater<T extends Closable>(resource: T): T {
    this.closables.add(resource);
    return resource;
  }

  /**
   * Waits until the broker is idle, for at most 3 s of real time, and deletes all messages, delayed, half and dead ones included, so that
   * nothing of them is delivered later. Removes the faults, and ends what still waits in `idle()` and `advance()`. Topics, groups, connected clients and the time stay. The messages are also
   * deleted when it throws.
   * @throws StateError `NOT_QUIET` that names the work that continues; `MESSAGES_HELD` when a consumer of an ordered group keeps a message
   * that it will handle again
   */
  async reset(): Promise<void> {
    this.endWaits();
    this.faults.clear();
    const advice = (): string =>
      'end this work in the test; the messages were deleted, and a late acknowledgment is ignored';
    const busy = await this.settle(advice).then(
      () => undefined,
      (error: unknown) => error,
    );
    const held = messagesHeldInOrder(this.store, (clientId) => this.isConnected(clientId));
    this.broker.inside.deleteMessages();
    this.history.clear();
    if (busy !== undefined) throw busy;
    const [first] = held;
    if (first === undefined) return;
    const text = `a consumer of ordered group ${first.group} keeps message ${first.messageId} of "${first.topic}" and will handle it again`;
    const what =
      'advance the time until it is settled, or close the application in the test; the messages were deleted';
    throw new StateError('MESSAGES_HELD', `${text}; ${what}`);
  }

  /** Closes what was passed to {@link closeLater}, and stops the broker. Repeated calls do nothing. @throws the error of a close */
  stop(): Promise<void> {
    this.stopping ??= this.end().finally(() => {
      this.stopping = undefined;
    });
    return this.stopping;
  }

  /** @internal for matchers */
  [OBSERVE](): Observation {
    const advice = (): string => 'end this work, or await broker.idle({ guardMs }) with a longer guardMs before';
    return new BrokerObservation(this.broker.inside, this.clock, this.history, {
      settle: () => this.settle(advice),
      movesAlone: this.manualClock === undefined,
    });
  }

  /** @internal The clients that are connected. */
  connectedClients(): string[] {
    const clients = this.broker.inside.clients.all();
    return clients.filter(({ isConnected }) => isConnected).map(({ clientId }) => clientId);
  }

  /** @internal Ends what still waits in `idle()` and `advance()`: a test that timed out must not move time in the next one. */
  endWaits(): void {
    this.ends++;
  }

  private isConnected(clientId: string | undefined): boolean {
    return clientId !== undefined && this.connectedClients().includes(clientId);
  }

  private settle(advice: () => string): Promise<void> {
    return this.timeSteps.idle({ ...this.steps({ guardMs: SHORT_GUARD_MS }), advice });
  }

  private async end(): Promise<void> {
    this.endWaits();
    const errors = await this.closables.close();
    await this.broker.stop();
    throwAny(errors);
  }

  private get store(): Store {
    return this.broker.inside.store;
  }

  private steps({ guardMs = GUARD_MS, duringWork = false }: AdvanceOptions): StepOptions {
    const advice = (): string => 'end this work, or pass a longer guardMs; time has not moved';
    const { ends } = this;
    const assertWanted = (): void => {
      if (this.ends === ends) return;
      const text = 'the broker was stopped or reset, or its test has ended, while this waited; await it in the test';
      throw new StateError('WAIT_ENDED', text);
    };
    return { guardMs, duringWork, advice, assertWanted };
  }
}
