// What a broker is asked about one queue: where the group is in it, its end, its messages, its lock. @see DefaultMQPushConsumerImpl of the Java client

import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../../protocol/grpc/status.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { jsonOf, objectsIn, offsetField } from '../../remoting/answers.js';
import type { RemotingClient } from '../../remoting/remoting-client.js';
import type { RemotingRequest } from '../../remoting/remoting-request.js';
import { withNotedEffects } from '../../support/deadline.js';
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
const SUSPEND_SUBSCRIBE = SUSPEND + SUBSCRIBE;
/** How long a broker keeps a pull for which it has nothing; it looks every 5 s. */
const SUSPEND_MS = 15_000;
const PULL_MS = SUSPEND_MS + 15_000;
/** How long other requests may take. */
const REQUEST_MS = 3_000;

/** What the answer to a pull says when an operator has moved the group. Brokers of 5.x do not ask their clients to move. */
export const OFFSET_RESET = 'OFFSET_RESET';

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

  async commit(commitOffset: number): Promise<void> {
    this.assertOk(await this.ask(REQUEST_CODES.updateConsumerOffset, { ...this.groupFields(), commitOffset }));
  }

  /** Waits for messages on the broker. @param commitOffset undefined not to commit @returns the answer, whatever its code */
  pull(
    queueOffset: number,
    commitOffset: number | undefined,
    { expression, type }: PulledSubscription,
    signal: AbortSignal,
  ): Promise<RemotingFrame> {
    const fields = {
      ...this.groupFields(),
      queueOffset,
      maxMsgNums: MAX_MESSAGES,
      sysFlag: SUSPEND_SUBSCRIBE + (commitOffset === undefined ? 0 : COMMIT),
      commitOffset: commitOffset ?? 0,
      suspendTimeoutMillis: SUSPEND_MS,
      subscription: expression,
      subVersion: 0,
      expressionType: type,
    };
    return this.send({ code: REQUEST_CODES.pullMessage, fields: texts(fields) }, PULL_MS, signal);
  }

  /** One message, whatever its tag, at once. @throws StatusError when there is none at this offset */
  async peek(queueOffset: number): Promise<RemotingFrame> {
    const fields = { ...this.groupFields(), queueOffset, maxMsgNums: 1, sysFlag: SUBSCRIBE, commitOffset: 0 };
    const filter = { suspendTimeoutMillis: 0, subscription: '*', subVersion: 0, expressionType: 'TAG' };
    const answer = await this.ask(REQUEST_CODES.pullMessage, { ...fields, ...filter });
    this.assertOk(answer);
    return answer;
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

  private send(request: RemotingRequest, timeoutMs = REQUEST_MS, signal?: AbortSignal): Promise<RemotingFrame> {
    const { brokerName } = this.name;
    const address = this.port.addressOf(brokerName);
    if (address === undefined) return Promise.reject(new StateError('CLOSED', `${brokerName} is not known`));
    return withNotedEffects(this.what, timeoutMs, signal, (deadline) =>
      this.port.client.ask(address, request, deadline),
    );
  }
}

function texts(fields: Readonly<Record<string, string | number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}
