// What a broker is asked about one queue: where the group is in it, its end, its messages, its lock. @see DefaultMQPushConsumerImpl of the Java client

import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../../protocol/grpc/status.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { decodeStoredMessages, type StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import { jsonOf, objectsIn, offsetField } from '../../remoting/answers.js';
import type { RemotingClient } from '../../remoting/remoting-client.js';
import type { RemotingConnection } from '../../remoting/remoting-connection.js';
import type { RemotingRequest } from '../../remoting/remoting-request.js';
import { type AbortSource, onAbort, reasonOf } from '../../support/abort-source.js';
import { type Deadline, withNotedEffects } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { statusOf } from '../statuses.js';
import type { PulledQueue } from './allocation.js';
import type { PulledSubscription } from './membership.js';

interface QueueRequestsPort {
  readonly clientId: string;
  readonly consumerGroup: string;
  readonly client: RemotingClient;
  addressOf(brokerName: string): string | undefined;
}

const MAX_MESSAGES = 32;
/** `sysFlag` of a pull: it commits; it may wait; it brings its subscription. @see PullSysFlag of the server */
const [COMMIT, SUSPEND, SUBSCRIBE] = [1, 2, 4];
/** How long a broker keeps a pull for which it has nothing; it looks every 5 s. */
const SUSPEND_MS = 15_000;
const PULL_MS = SUSPEND_MS + 15_000;
/** How long other requests may take. */
const REQUEST_MS = 3_000;

/** How a broker says that it has no message at an offset. */
const WITHOUT_MESSAGES: ReadonlySet<number> = new Set([
  RESPONSE_CODES.pullNotFound,
  RESPONSE_CODES.pullRetryImmediately,
  RESPONSE_CODES.pullOffsetMoved,
]);

/** What the answer to a pull says when an operator has moved the group. Brokers of 5.x do not ask their clients to move. */
export const OFFSET_RESET = 'OFFSET_RESET';

/** One offset of a queue, and which there are. */
interface Look {
  /** Undefined where there is none, or where it was removed. */
  readonly message: StoredMessageFields | undefined;
  readonly minOffset: number;
  readonly maxOffset: number;
}

/** The requests about one queue. They throw when the broker does not answer, or answers with a failure that they do not name. */
export class QueueRequests {
  constructor(
    private readonly port: QueueRequestsPort,
    private readonly name: PulledQueue,
  ) {}

  /** What the pulls of the queue are called in errors. */
  get what(): string {
    const { topic, brokerName, queueId } = this.name;
    return `pull of queue ${queueId} of ${topic} at ${brokerName} for "${this.port.consumerGroup}"`;
  }

  /** The open connection to the broker; undefined while there is none. */
  get connection(): RemotingConnection | undefined {
    return this.port.client.openTo(this.address ?? '');
  }

  /** Connects to the broker if there is no open connection. */
  connected(): Promise<RemotingConnection> {
    return this.withBroker(REQUEST_MS, (address, deadline) => this.port.client.connected(address, deadline));
  }

  /**
   * Where the group goes on. A broker answers a group that has none with the first message when it is young enough.
   * @returns undefined when it knows none
   */
  async committedOffset(): Promise<number | undefined> {
    const answer = await this.ask(REQUEST_CODES.queryConsumerOffset, this.groupFields());
    if (answer.code === RESPONSE_CODES.queryNotFound) return undefined;
    this.assertOk(answer);
    return offsetField(answer, 'offset', 0);
  }

  async maxOffset(): Promise<number> {
    const { topic, queueId } = this.name;
    const answer = await this.ask(REQUEST_CODES.getMaxOffset, { topic, queueId });
    this.assertOk(answer);
    return offsetField(answer, 'offset', 0);
  }

  /**
   * Where a new group starts, as with a proxy: at the end, but at the first message of a queue that is young. A broker of 5.x says so of no empty queue, and its first message
   * may come between two questions.
   * @param stored asks for the committed offset once more
   */
  async firstOffset(stored: () => Promise<number | undefined>): Promise<number> {
    const end = await this.maxOffset();
    return (await stored()) ?? end;
  }

  async commit(commitOffset: number): Promise<void> {
    this.assertOk(await this.ask(REQUEST_CODES.updateConsumerOffset, { ...this.groupFields(), commitOffset }));
  }

  /**
   * @param commitOffset undefined not to commit
   * @param waits for messages, on the broker
   * @param ending gives the pull up
   * @returns the answer, whatever its code
   */
  pull(
    queueOffset: number,
    { commitOffset, waits }: { readonly commitOffset: number | undefined; readonly waits: boolean },
    { expression, type }: PulledSubscription,
    ending: AbortSource,
  ): Promise<RemotingFrame> {
    const fields = {
      ...this.groupFields(),
      queueOffset,
      maxMsgNums: MAX_MESSAGES,
      sysFlag: SUBSCRIBE + (waits ? SUSPEND : 0) + (commitOffset === undefined ? 0 : COMMIT),
      commitOffset: commitOffset ?? 0,
      suspendTimeoutMillis: waits ? SUSPEND_MS : 0,
      subscription: expression,
      subVersion: 0,
      expressionType: type,
    };
    const request = { code: REQUEST_CODES.pullMessage, fields: texts(fields) };
    return this.withBroker(PULL_MS, (address, deadline) => {
      onAbort(ending, () => deadline.end.abort(reasonOf(ending)));
      return this.port.client.ask(address, request, deadline);
    });
  }

  /**
   * The offset of the first message that was stored at this time or later; the end when there is none. By halves, because brokers before 5.1.1 find
   * by time the message that is nearest.
   */
  async offsetAt(storedAtMs: number): Promise<number> {
    let [low, high] = [0, await this.maxOffset()];
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      const { message, minOffset } = await this.look(middle);
      if (message !== undefined && message.storeTimestampMs >= storedAtMs) high = middle;
      // What was removed is older.
      else low = Math.max(middle + 1, message === undefined ? minOffset : 0);
    }
    return Math.min(low, high);
  }

  /** What there is at an offset, whatever its tag. */
  async look(queueOffset: number): Promise<Look> {
    const fields = { ...this.groupFields(), queueOffset, maxMsgNums: 1, sysFlag: SUBSCRIBE, commitOffset: 0 };
    const filter = { suspendTimeoutMillis: 0, subscription: '*', subVersion: 0, expressionType: 'TAG' };
    const answer = await this.ask(REQUEST_CODES.pullMessage, { ...fields, ...filter });
    if (!WITHOUT_MESSAGES.has(answer.code)) this.assertOk(answer);
    const [message] = answer.code === RESPONSE_CODES.success ? decodeStoredMessages(answer.body) : [];
    const minOffset = offsetField(answer, 'minOffset', 0);
    return { message, minOffset, maxOffset: offsetField(answer, 'maxOffset', Number.POSITIVE_INFINITY) };
  }

  /** @returns whether the queue is this client's now, for 60 s */
  async lock(): Promise<boolean> {
    const answer = await this.send(this.lockRequest(REQUEST_CODES.lockBatchMq));
    this.assertOk(answer);
    const { brokerName, topic, queueId } = this.name;
    return objectsIn<PulledQueue>(jsonOf(answer).lockOKMQSet).some(
      (one) => one.queueId === queueId && one.topic === topic && one.brokerName === brokerName,
    );
  }

  async unlock(): Promise<void> {
    this.assertOk(await this.send(this.lockRequest(REQUEST_CODES.unlockBatchMq)));
  }

  /** @throws StatusError unless the broker has done what it was asked */
  assertOk(answer: RemotingFrame): void {
    const status = statusOf(answer, this.name.brokerName);
    if (status.code !== Code.OK) throw new StatusError(this.what, status);
  }

  private groupFields(): { readonly consumerGroup: string; readonly topic: string; readonly queueId: number } {
    const { topic, queueId } = this.name;
    return { consumerGroup: this.port.consumerGroup, topic, queueId };
  }

  private lockRequest(code: number): RemotingRequest {
    const { clientId, consumerGroup } = this.port;
    const body = { consumerGroup, clientId, mqSet: [this.name], onlyThisBroker: false };
    return { code, body: Buffer.from(JSON.stringify(body)) };
  }

  private ask(code: number, fields: Readonly<Record<string, string | number>>): Promise<RemotingFrame> {
    return this.send({ code, fields: texts(fields) });
  }

  private send(request: RemotingRequest): Promise<RemotingFrame> {
    return this.withBroker(REQUEST_MS, (address, deadline) => this.port.client.ask(address, request, deadline));
  }

  private get address(): string | undefined {
    return this.port.addressOf(this.name.brokerName);
  }

  private withBroker<T>(timeoutMs: number, work: (address: string, deadline: Deadline) => Promise<T>): Promise<T> {
    const { address } = this;
    if (address === undefined) return Promise.reject(new StateError('CLOSED', `${this.name.brokerName} is not known`));
    return withNotedEffects(this.what, timeoutMs, undefined, (deadline) => work(address, deadline));
  }
}

function texts(fields: Readonly<Record<string, string | number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}
