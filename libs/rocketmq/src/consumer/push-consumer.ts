// The life of a push consumer: start, receive loops by assignment, and the end in its right order.

import type { Client } from '../client/client.js';
import type { Connection } from '../client/connection.js';
import { type Endpoint, endpointKey } from '../client/endpoint.js';
import { consumerGroupNotFifo } from '../client/resource-errors.js';
import type { Queue } from '../client/route.js';
import type { ServerCommand } from '../client/telemetry-session.js';
import { ClientType } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import { SECOND_MS, SystemClock } from '../support/clock.js';
import { type CallOptions, type Deadline, withDeadline } from '../support/deadline.js';
import { StateError } from '../support/errors.js';
import { AssignmentWatcher } from './assignment-watcher.js';
import { BufferRoom } from './buffer-room.js';
import { consumerClient, DEFAULT_START_MS, startConsumerClient } from './consumer-client.js';
import { ConsumerReport } from './consumer-events.js';
import { Dispatcher } from './dispatcher.js';
import { incomingMessage } from './incoming-message.js';
import { type LeasePort, MessageLease } from './message-lease.js';
import { type PushConsumerOptions, type ResolvedOptions, resolveOptions } from './push-consumer-options.js';
import { ReceiptCalls } from './receipt-calls.js';
import { type ReceivedBatch, ReceiveLoop, type ReceivePort } from './receive-loop.js';
import { type ConsumerSettings, consumerSettings, DEFAULT_SETTINGS } from './settings.js';
import type { Subscription } from './subscription.js';
import { verifyMessage } from './verify-message.js';

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'started'; readonly ready: Promise<void> }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

const DEFAULT_GRACE_MS = 20 * SECOND_MS;

/**
 * Receives the messages of a consumer group and hands each to a handler. A message is acked after its handler has
 * succeeded, and comes again in every other case, until it is a dead letter. It may come twice; handlers must bear that.
 */
export class PushConsumer {
  private state: State = { kind: 'idle' };
  private readonly options: ResolvedOptions;
  private readonly client: Client;
  private readonly ioClock = new SystemClock();
  private readonly room: BufferRoom;
  private readonly report: ConsumerReport;
  private readonly dispatcher: Dispatcher;
  private readonly watcher: AssignmentWatcher;
  private readonly leasePort: LeasePort;
  private readonly receivePort: ReceivePort;
  private readonly loops = new Map<string, ReceiveLoop>();
  /** Loops that begin no more polls, until their last one has ended. */
  private readonly endingLoops = new Set<ReceiveLoop>();
  private readonly closing = new AbortController();
  private settings: ConsumerSettings = DEFAULT_SETTINGS;

  /** @throws UsageError that names the wrong option; nothing is sent yet */
  constructor(
    private readonly connection: Connection,
    options: PushConsumerOptions,
  ) {
    this.options = resolveOptions(options);
    const { consumerGroup, subscriptions, maxBufferedMessages, maxBufferedBytes, leaseMs, events } = this.options;
    const { clock, logger, random } = connection;
    const { ioClock } = this;
    this.client = consumerClient(connection, {
      type: ClientType.PUSH_CONSUMER,
      group: this.options,
      onSettings: (settings) => {
        this.settings = consumerSettings(settings);
      },
      onCommand: (command, endpoint) => this.onCommand(command, endpoint),
    });
    this.room = new BufferRoom(maxBufferedMessages, maxBufferedBytes);
    this.report = new ConsumerReport(events, logger, consumerGroup);
    const calls = new ReceiptCalls(this.client, consumerGroup);
    this.leasePort = { clock, ioClock, random, logger, calls, leaseMs };
    this.dispatcher = this.newDispatcher();
    this.receivePort = this.newReceivePort();
    this.watcher = new AssignmentWatcher({
      client: this.client,
      consumerGroup,
      topics: subscriptions.map(({ topic }) => topic),
      ioClock,
      onAssigned: (topic, queues) => this.assign(topic, queues),
    });
  }

  /** The id by which the server knows this consumer. */
  get clientId(): string {
    return this.client.id;
  }

  /** Whether the server holds the group as ordered; known once started. */
  get isFifo(): boolean {
    return this.settings.isFifo;
  }

  /**
   * Finds topics and group and begins to receive. Repeating it returns the first call's promise.
   * @param options `timeoutMs` default 10 s
   * @throws ResourceError when a topic or the group does not exist, or is not ordered although `requireFifo` is set
   * @throws StatusError or TransportError when the server refuses or is away; the consumer is then closed
   */
  start(options: CallOptions = {}): Promise<void> {
    if (this.state.kind === 'closed') return Promise.reject(closedError());
    if (this.state.kind === 'idle') this.state = { kind: 'started', ready: this.begin(options) };
    return this.state.ready;
  }

  /**
   * Stops receiving, hands back what no handler has seen, waits for the handlers that run, and settles what they did.
   * Repeating it waits for the same end.
   * A consumer of an ordered group also waits for its polls, 5 s at most unless `longPollingTimeoutMs` is set: on a real server
   * a poll that is broken off costs the next messages an attempt.
   * @param options `graceMs`: after this time the signals of running handlers fire, and polls are broken off. Default 20 s,
   *   in real time
   */
  close({ graceMs = DEFAULT_GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> {
    if (this.state.kind === 'closed') return this.state.closed;
    const ready = this.state.kind === 'started' ? this.state.ready : Promise.resolve();
    this.closing.abort(closedError());
    const closed = ready.catch(() => {}).then(() => this.end(graceMs));
    this.state = { kind: 'closed', closed };
    return closed;
  }

  private async begin({ timeoutMs = DEFAULT_START_MS, signal }: CallOptions): Promise<void> {
    const { consumerGroup } = this.options;
    const onAbort = (): void => this.closing.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      const what = `start of the consumer of "${consumerGroup}"`;
      await withDeadline(what, timeoutMs, this.closing.signal, (deadline) => this.connect(deadline));
    } catch (error) {
      // A start that has failed leaves nothing behind; close() then has nothing to wait for.
      await this.end(0);
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  private async connect(deadline: Deadline): Promise<void> {
    const { requireFifo, consumerGroup } = this.options;
    await startConsumerClient(this.client, this.options, requireFifo, deadline);
    if (requireFifo && !this.settings.isFifo) throw consumerGroupNotFifo(consumerGroup);
    await this.watcher.start(deadline);
  }

  private async end(graceMs: number): Promise<void> {
    const loops = [...this.loops.values(), ...this.endingLoops];
    const cancelPolls = (): void => {
      for (const loop of loops) loop.cancel();
    };
    for (const loop of loops) loop.stop();
    const pollsEnded = Promise.all(loops.map((loop) => loop.ended())).then(() => {});
    await this.watcher.stop();
    // An ordered group lets its polls end: each one that is broken off costs the next messages an attempt (see ReceiveLoop).
    const patience = this.isFifo ? this.ioClock.schedule(graceMs, cancelPolls) : undefined;
    if (!this.isFifo) cancelPolls();
    await this.dispatcher.drain(graceMs, this.isFifo ? pollsEnded : Promise.resolve());
    await pollsEnded;
    patience?.cancel();
    // What came with the last polls is handed back at once.
    await this.dispatcher.drain(0, Promise.resolve());
    await this.client.close();
  }

  /** Keeps one loop for each broker that has assigned queues of the topic; a loop without any ends after its poll. */
  private assign(topic: string, queues: readonly Queue[]): void {
    if (this.closing.signal.aborted) return;
    const subscription = this.options.subscriptions.find((one) => one.topic === topic);
    if (subscription === undefined) return;
    const wanted = byBroker(queues);
    for (const [key, loop] of this.loops) {
      if (!key.startsWith(`${topic} `) || wanted.has(key)) continue;
      this.loops.delete(key);
      this.endingLoops.add(loop);
      loop.stop();
      loop.ended().then(() => this.endingLoops.delete(loop));
    }
    for (const [key, assigned] of wanted) {
      const loop = this.loops.get(key);
      if (loop === undefined) this.startLoop(key, assigned, subscription);
      else loop.assign(assigned);
    }
  }

  private startLoop(key: string, queues: [Queue, ...Queue[]], subscription: Subscription): void {
    const loop = new ReceiveLoop(this.receivePort, queues, subscription);
    this.loops.set(key, loop);
    loop.start();
  }

  private async take({ queue, messages, receivedAtMs }: ReceivedBatch): Promise<void> {
    const { maxUnpackedBytes } = this.options;
    const untrack = this.connection.clock.track(`unpacking of messages from "${queue.topic}"`);
    try {
      const incoming = await Promise.all(messages.map((message) => incomingMessage(message, maxUnpackedBytes)));
      const { endpoint } = queue;
      const leases = incoming.map((one, index) => {
        const wireBytes = messages[index]?.body.length ?? 0;
        return new MessageLease(this.leasePort, { ...one, endpoint, receivedAtMs, wireBytes });
      });
      this.dispatcher.dispatch(leases, this.settings.isFifo);
    } finally {
      untrack();
    }
  }

  private newDispatcher(): Dispatcher {
    const { handler, concurrency, handlerTimeoutMs, backoff, checkpoint } = this.options;
    return new Dispatcher({
      clock: this.connection.clock,
      ioClock: this.ioClock,
      logger: this.connection.logger,
      report: this.report,
      handler,
      concurrency,
      handlerTimeoutMs,
      backoff,
      checkpoint,
      settings: () => this.settings,
      onEnded: (lease) => this.room.release(lease.wireBytes),
    });
  }

  private newReceivePort(): ReceivePort {
    const { consumerGroup, leaseMs, longPollingTimeoutMs, maxBufferedMessages } = this.options;
    return {
      client: this.client,
      consumerGroup,
      clock: this.connection.clock,
      ioClock: this.ioClock,
      room: this.room,
      leaseMs,
      longPollingTimeoutMs,
      settings: () => this.settings,
      // Idle polls hold their room for as long as they wait: a loop that took it all would starve the others.
      batchShare: () => Math.floor(maxBufferedMessages / Math.max(1, this.loops.size)),
      deliver: (batch) => this.take(batch),
    };
  }

  private onCommand(command: ServerCommand, endpoint: Endpoint): boolean {
    if (command.$case !== 'verifyMessageCommand') return false;
    const { handler, handlerTimeoutMs, maxUnpackedBytes } = this.options;
    const options = { handler, handlerTimeoutMs, maxUnpackedBytes, ioClock: this.ioClock, report: this.report };
    const verified = verifyMessage(command.value, { ...options, forceSignal: this.closing.signal });
    verified.then((answer) => {
      // A closed client has no session any more, and the server has lost interest.
      if (!this.closing.signal.aborted) this.client.session(endpoint).write(answer);
    });
    return true;
  }
}

function byBroker(queues: readonly Queue[]): Map<string, [Queue, ...Queue[]]> {
  const brokers = new Map<string, [Queue, ...Queue[]]>();
  for (const queue of queues) {
    const key = `${queue.topic} ${queue.brokerName} ${endpointKey(queue.endpoint)}`;
    const known = brokers.get(key);
    if (known === undefined) brokers.set(key, [queue]);
    else known.push(queue);
  }
  return brokers;
}

function closedError(): StateError {
  return new StateError('CLOSED', 'the consumer is closed');
}
