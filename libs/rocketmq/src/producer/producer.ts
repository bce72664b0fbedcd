// The producer: its lifecycle, sends, recalls and transactions.

import { Client, type ClientRole } from '../client/client.js';
import type { Connection } from '../client/connection.js';
import { positive } from '../client/connection.js';
import { resource } from '../client/route.js';
import { durationMs, toDuration } from '../protocol/duration.js';
import { ClientType, type Settings } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import type { MessageType, OutgoingMessage } from '../protocol/message.js';
import { requireOk } from '../protocol/status.js';
import { type CallOptions, type Deadline, withDeadline } from '../support/deadline.js';
import { StateError } from '../support/errors.js';
import { SendPipeline, type SendPolicy, type SendReceipt } from './send-pipeline.js';
import type { Transaction } from './transaction.js';
import { TransactionCoordinator, type TransactionOptions } from './transaction-coordinator.js';

export interface ProducerOptions extends TransactionOptions {
  /** Topics that must exist, with their type, when the producer starts. Others are looked up at their first send. */
  readonly topics?: Readonly<Record<string, MessageType | undefined>>;
  /** How often one send is tried in all. Default 3. */
  readonly maxAttempts?: number;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'started'; readonly ready: Promise<void> }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

/** Sends messages. One producer serves a whole application; it may share its connection with others. */
export class Producer {
  private state: State = { kind: 'idle' };
  private readonly client: Client;
  private readonly pipeline: SendPipeline;
  private readonly policy: SendPolicy;
  private readonly transactions: TransactionCoordinator;
  private readonly underWay = new Set<Promise<unknown>>();

  /** @throws UsageError that names the option */
  constructor(
    private readonly connection: Connection,
    private readonly options: ProducerOptions = {},
  ) {
    const maxAttempts = positive('maxAttempts', options.maxAttempts ?? 3);
    this.policy = { maxAttempts, backoff: { kind: 'exponential', initialMs: 10, maxMs: 1_000, multiplier: 2 } };
    this.client = new Client(connection, this.role());
    this.transactions = new TransactionCoordinator(this.client, options);
    this.pipeline = new SendPipeline(this.client, this.policy);
  }

  get clientId(): string {
    return this.client.id;
  }

  /**
   * Connects, and checks the topics that were named. Repeating it gives the first result.
   * @throws ResourceError when a topic is missing or of another type; the last failure when the server stays away
   */
  start(options: CallOptions = {}): Promise<void> {
    if (this.state.kind === 'closed') return Promise.reject(closedError());
    if (this.state.kind === 'idle') {
      const topics = new Map<string, MessageType | undefined>(Object.entries(this.options.topics ?? {}));
      for (const topic of this.transactions.topics) topics.set(topic, 'transaction');
      const work = (deadline: Deadline): Promise<void> => this.client.start(topics, deadline);
      const ready = withDeadline('start of the producer', this.timeoutMs(options), options.signal, work);
      this.state = { kind: 'started', ready };
    }
    return this.state.ready;
  }

  /**
   * Sends a message and waits until the server has stored it.
   * @param options `timeoutMs` bounds all attempts together; default: `requestTimeoutMs` × `maxAttempts`
   * @throws UsageError before anything was sent; StatusError or TransportError whose `outcome` says whether it may be stored
   */
  send(message: OutgoingMessage, options: CallOptions = {}): Promise<SendReceipt> {
    return this.run(`send to "${message.topic}"`, options, async (deadline) => {
      const { topic, messageId, offset, recallHandle } = await this.pipeline.send(message, deadline);
      return { topic, messageId, offset, recallHandle };
    });
  }

  /**
   * Takes a delayed message back before it is due. The server answers OK even when it is too late, or was recalled before.
   * @throws StatusError when the server refuses; it is off there by default (`recallMessageEnable` of the broker)
   */
  recall(
    { topic, recallHandle }: { readonly topic: string; readonly recallHandle: string },
    options: CallOptions = {},
  ): Promise<{ readonly messageId: string }> {
    const what = `recall of a message on "${topic}"`;
    return this.run(what, options, async (deadline) => {
      const { queues } = await this.client.route(topic, deadline, 'delay');
      const broker = brokerOf(recallHandle);
      const endpoint = (queues.find(({ brokerName }) => brokerName === broker) ?? queues[0])?.endpoint;
      const request = { topic: resource(this.connection.namespace, topic), recallHandle };
      const call = { what, timeoutMs: this.client.attemptTimeoutMs(deadline), signal: deadline.signal };
      const { status, messageId } = await this.client.unary(
        endpoint ?? this.connection.bootstrap,
        'recallMessage',
        request,
        call,
      );
      requireOk(what, status, 'recall must be switched on at the broker (recallMessageEnable)');
      return { messageId };
    });
  }

  /**
   * Sends a half message, which nobody sees until the transaction commits. Prefer {@link transact}.
   * @throws UsageError `NO_TRANSACTION_CHECKER` when the topic has none; else as `send`
   */
  beginTransaction(message: OutgoingMessage, options: CallOptions = {}): Promise<Transaction> {
    return this.run(`half message to "${message.topic}"`, options, (deadline) =>
      this.transactions.begin(message, (marked) => this.pipeline.send(marked, deadline, true)),
    );
  }

  /**
   * Runs `work` as the local transaction of a message. With `message` the half is sent before; without, `work` calls
   * `currentTransaction().prepare()`, or nothing is sent. A return commits, unless `currentTransaction().rollback()` was
   * called. A throw asks the checker at once: its answer ends the transaction, `unknown` leaves it to the server's check;
   * the error is rethrown.
   */
  transact<T>(options: CallOptions & { readonly message?: OutgoingMessage }, work: () => Promise<T>): Promise<T> {
    return this.transactions.transact(options.message, (half) => this.beginTransaction(half, options), work);
  }

  /**
   * Refuses new work, waits for what is under way (each has its own deadline), says goodbye. The connection stays open.
   * Repeating it waits for the same end.
   */
  close(): Promise<void> {
    if (this.state.kind === 'closed') return this.state.closed;
    const closed = (async () => {
      await Promise.allSettled(this.underWay);
      await this.transactions.drain();
      await this.client.close();
    })();
    this.state = { kind: 'closed', closed };
    return closed;
  }

  private async run<T>(what: string, options: CallOptions, work: (deadline: Deadline) => Promise<T>): Promise<T> {
    if (this.state.kind === 'closed') throw closedError();
    const running = withDeadline(what, this.timeoutMs(options), options.signal, work);
    this.underWay.add(running);
    try {
      return await running;
    } finally {
      this.underWay.delete(running);
    }
  }

  private timeoutMs({ timeoutMs }: CallOptions): number {
    return positive('timeoutMs', timeoutMs ?? this.connection.requestTimeoutMs * this.policy.maxAttempts);
  }

  private role(): ClientRole {
    return {
      type: ClientType.PRODUCER,
      settings: () => ({
        backoffPolicy: {
          maxAttempts: this.policy.maxAttempts,
          strategy: {
            $case: 'exponentialBackoff',
            value: { initial: toDuration(0), max: toDuration(0), multiplier: 1 },
          },
        },
        pubSub: {
          $case: 'publishing',
          value: {
            // Checks reach every producer that lists a topic, so only those are listed that this one can answer for.
            topics: this.transactions.topics.map((topic) => resource(this.connection.namespace, topic)),
            maxBodySize: 0,
            validateMessageType: true,
          },
        },
      }),
      onSettings: (settings) => this.adopt(settings),
      onCommand: (command, endpoint) => this.transactions.take(command, endpoint),
    };
  }

  private adopt({ backoffPolicy }: Settings): void {
    const strategy = backoffPolicy?.strategy;
    if (strategy?.$case !== 'exponentialBackoff') return;
    const { initial, max, multiplier } = strategy.value;
    if (initial === undefined || max === undefined) return;
    const backoff = { initialMs: durationMs(initial), maxMs: durationMs(max), multiplier };
    this.policy.backoff = { kind: 'exponential', ...backoff };
  }
}

/** The broker that a recall handle names (`v1 topic broker time id` in Base64); undefined for a form not known here. */
function brokerOf(recallHandle: string): string | undefined {
  const [version, , broker] = Buffer.from(recallHandle, 'base64url').toString('utf8').split(' ');
  return version === 'v1' ? broker : undefined;
}

function closedError(): StateError {
  return new StateError('CLOSED', 'the producer is closed; nothing was sent');
}
