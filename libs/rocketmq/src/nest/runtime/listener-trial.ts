// Hands a message to a listener without a broker, for tests: the whole path of a delivery, from the hooks to the failure policy.
// Nothing is sent and nothing is settled; the result reports the outcome.

import { runHandler } from '../../consumer/listeners/handler-run.js';
import { type Listener, resolveListener } from '../../consumer/listeners/message-listener.js';
import { type DeadLetterReason, settlementAfterFailure } from '../../consumer/model/failure-policy.js';
import { RetryLaterError } from '../../consumer/model/outcome-errors.js';
import { bodyBytes, type MessageView, messageTypeOf, type OutgoingMessage } from '../../protocol/model/message.js';
import { MessageIdGenerator } from '../../protocol/model/message-id.js';
import { SystemClock } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import { systemRandom } from '../../support/random.js';
import { methodLabel } from '../common/handler-host.js';
import type { HandlerInvoker } from '../listening/handler-invoker.js';
import { messageListenerOf } from '../listening/listener-consumer.js';
import { type PlannedListener, planConsumers } from '../listening/listener-plan.js';
import type { Discovered } from '../listening/rocketmq.explorer.js';
import { BODY_VERSION_PROPERTY } from '../messages/body-version.js';
import type { MessageHooks } from '../messages/message-hooks.js';
import { encoded, type MessageFields } from '../messages/outgoing.js';
import { NAMES_AS_GIVEN } from '../messages/resource-names.js';
import type { CheckedOptions } from './module-options.js';

/** What a consumer would do with the message. */
export type DeliveryOutcome =
  | { readonly outcome: 'acked' }
  /** `delayMs` is undefined where the server would choose the delay. */
  | { readonly outcome: 'retried'; readonly delayMs: number | undefined; readonly error: unknown }
  /** `topic`: the listener's `deadLetterTopic`; undefined for the broker's dead letter queue. */
  | {
      readonly outcome: 'dead-lettered';
      readonly reason: DeadLetterReason;
      readonly topic: string | undefined;
      readonly error: unknown;
    };

/** A message for the trial, and what the server would know of it. */
export interface TrialMessage
  extends Pick<MessageFields, 'tag' | 'keys' | 'properties' | 'messageGroup' | 'liteTopic' | 'messageId'> {
  readonly body: unknown;
  /** The number of this delivery. Default 1, the first. */
  readonly attempt?: number;
  /** The attempts that the group allows on the server. Default 17, the server's. */
  readonly maxAttempts?: number;
}

/** Which listener. */
interface TrialTarget {
  readonly type: abstract new (...args: never[]) => object;
  readonly methodName: string;
  /** Required where a method has several listeners. */
  readonly name?: string | undefined;
}

const ATTEMPTS_OF_SERVER = 17;

interface TrialParts {
  readonly options: CheckedOptions;
  readonly hooks: Pick<MessageHooks, 'outgoing' | 'incoming'>;
  readonly invoker: HandlerInvoker;
  discover(): Discovered;
}

/** Runs listeners of an application without a broker. */
export class ListenerTrial {
  private readonly ids = new MessageIdGenerator(systemRandom, process.pid);

  constructor(private readonly parts: TrialParts) {}

  /**
   * Hands over the messages concurrently, as a consumer would.
   * @throws UsageError when there is no such listener, or when the application's declarations are invalid
   */
  async deliver(target: TrialTarget, messages: readonly TrialMessage[]): Promise<DeliveryOutcome[]> {
    const planned = this.find(target);
    const { settings } = planned;
    const ioClock = new SystemClock();
    const { invoker, hooks, options: checked } = this.parts;
    const answers = { wire: { codec: checked.codec, hooks }, logger: checked.logger };
    const parts = { invoker, producer: () => undefined, answers };
    const options = { concurrency: 16, handlerTimeoutMs: undefined, interceptors: settings.interceptors ?? [] };
    const { batch, ...others } = messageListenerOf(planned, parts);
    // All messages are present from the start, so that a batch never waits for more.
    const prompt = batch === undefined ? others : { ...others, batch: { ...batch, maxWaitMs: 0 } };
    const listener = resolveListener(prompt, options, ioClock);
    const views = await Promise.all(messages.map((message) => this.received(planned, message)));
    return Promise.all(views.map((view, index) => run(listener, planned, view, messages[index]?.maxAttempts, ioClock)));
  }

  private find({ type, methodName, name }: TrialTarget): PlannedListener {
    const { options, discover } = this.parts;
    const all = planConsumers(discover().listeners, { ...options, consumers: true }).flatMap((one) => one.listeners);
    const found = all.filter(({ method: { host, methodName: own }, name: itsName }) => {
      const isOfType = host.prototype === type.prototype || Object.create(host.prototype) instanceof type;
      return isOfType && own === methodName && (name === undefined || itsName === name);
    });
    const [listener, ...more] = found;
    const what = `${type.name}.${methodName}${name === undefined ? '' : ` named "${name}"`}`;
    if (listener === undefined) {
      const known = all.map(({ method }) => methodLabel(method)).join(', ');
      const text = `the application has no enabled listener ${what}; it has ${known === '' ? 'none' : known}`;
      throw new UsageError('UNKNOWN_LISTENER', text, 'methodName');
    }
    if (more.length === 0) return listener;
    const names = found.map((one) => one.name).join(', ');
    throw new UsageError('UNKNOWN_LISTENER', `${what} has several listeners; give the name of one: ${names}`, 'name');
  }

  /** The message as the server would deliver it. A test may want an invalid body, so it is not validated here, bytes are left as they are, and so is its version. */
  private async received(
    { topic }: PlannedListener,
    { body, attempt = 1, maxAttempts: _, ...fields }: TrialMessage,
  ): Promise<MessageView> {
    const { codec, clock = new SystemClock() } = this.parts.options;
    const wire = { codec, names: NAMES_AS_GIVEN, hooks: this.parts.hooks };
    const messageId = fields.messageId ?? this.ids.next(clock.nowMs());
    const type = body instanceof Uint8Array ? undefined : topic.type;
    const sent = await encoded({ ...topic, schema: undefined, type }, body, { ...fields, messageId }, wire);
    const version = fields.properties?.[BODY_VERSION_PROPERTY] ?? topic.version;
    const properties: Record<string, string> =
      version === undefined ? {} : { [BODY_VERSION_PROPERTY]: String(version) };
    return viewOf({ ...sent, properties: { ...sent.properties, ...properties } }, messageId, attempt, clock.nowMs());
  }
}

function viewOf(sent: OutgoingMessage, messageId: string, deliveryAttempt: number, nowMs: number): MessageView {
  const { topic, body, tag, keys = [], properties = {}, messageGroup, liteTopic } = sent;
  return {
    topic,
    messageId,
    body: bodyBytes(body),
    tag,
    keys,
    properties,
    messageGroup,
    liteTopic,
    deliveryAttempt,
    messageType: messageTypeOf(sent),
    priority: undefined,
    bornTimestampMs: nowMs,
    bornHost: '',
    storeTimestampMs: nowMs,
    deliveryTimestampMs: undefined,
    queueId: 0,
    queueOffset: 0,
    receiptHandle: '',
  };
}

async function run(
  { handler, handlerTimeoutMs: timeoutMs, policy }: Listener,
  { deadLetterTopic, consumerGroup }: PlannedListener,
  message: MessageView,
  attemptsOfServer: number = ATTEMPTS_OF_SERVER,
  ioClock: SystemClock,
): Promise<DeliveryOutcome> {
  const result = await runHandler(message, {
    handler,
    timeoutMs,
    ioClock,
    lostSignal: undefined,
    forceSignal: undefined,
    onIgnoredSignal: () => {},
  });
  if (result.kind !== 'failed') return { outcome: 'acked' };
  const { error, wasInterrupted } = result;
  const settlement = settlementAfterFailure({
    error,
    wasInterrupted,
    retryOn: policy.retryOn,
    deadLetterOn: policy.deadLetterOn,
    attempt: message.deliveryAttempt,
    // As if the earlier attempts had been made here.
    finished: message.deliveryAttempt,
    wait: message.deliveryAttempt,
    attemptsOfServer,
    maxAttempts: policy.maxAttempts,
    backoff: policy.backoff ?? { kind: 'customized', nextMs: [0] },
  });
  if (settlement.kind === 'retry') {
    const isKnown = policy.backoff !== undefined || RetryLaterError.is(error);
    return { outcome: 'retried', delayMs: isKnown ? settlement.delayMs : undefined, error };
  }
  const { reason } = settlement;
  await policy.onDeadLetter?.({ message, consumerGroup, reason, error });
  return { outcome: 'dead-lettered', reason, topic: deadLetterTopic?.name, error };
}
