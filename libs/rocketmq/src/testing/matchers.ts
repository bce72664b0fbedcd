// The matchers for `expect.extend()` of Jest and Vitest.

import type { NotInferred, TopicDefinition } from '../nest/messages/topic-definition.js';
import { UsageError } from '../support/errors.js';
import { describe } from '../support/options.js';
import {
  type Claim,
  type Comparing,
  claimOf,
  type ExpectedDelivery,
  type ExpectedMessage,
  expectedFields,
  fieldsOf,
  isEqual,
} from './expected-message.js';
import { type Printing, report } from './match-report.js';
import { OBSERVE, type Observable, type Observation, type Observed, type ObservedMessage } from './observation.js';

// biome-ignore lint/suspicious/noExplicitAny: the body that handlers receive does not matter
type Topic<Input> = TopicDefinition<any, Input> | string;

/**
 * The matchers, as assertions of `expect(broker)`. Each waits until the broker is idle, for at most 3 s of real time, and then looks once.
 * `.not` therefore means: not by now; with a manual clock also: not without moving time. What takes longer needs `await broker.idle({ guardMs })` before.
 * They reject with a StateError `NOT_QUIET` that names the work that continues, and with a UsageError `OTHER_TOPIC_NAME` for a topic that exists only
 * with a prefix or the like.
 */
export interface RocketMQMatchers {
  /**
   * A message was sent to a topic: it is visible, consumed or not, or delayed. A half message was not sent before its commit, and a recalled
   * message was not sent. Also for a FakeProducer, whose sends must have been awaited.
   */
  toHaveSent<Input>(topic: Topic<Input>, expected?: ExpectedMessage<NotInferred<Input>>): Promise<void>;
  /**
   * A consumer received a message and acknowledged it: its listener returned, or dropped the message as `onInvalid` decided. Not one that
   * was passed on to a `deadLetterTopic`.
   */
  toHaveDelivered<Input>(topic: Topic<Input>, expected?: ExpectedDelivery<NotInferred<Input>>): Promise<void>;
  /** A message of the topic is in the dead letter queue of a consumer group. */
  toHaveDeadLettered<Input>(topic: Topic<Input>, expected?: ExpectedDelivery<NotInferred<Input>>): Promise<void>;
}

/** What matchers use of `this`; the same in Jest and Vitest. */
interface MatcherThis extends Comparing {
  readonly isNot?: boolean;
  readonly utils: Comparing['utils'] & Printing;
}

/** The result of a matcher. */
interface Verdict {
  readonly pass: boolean;
  message(): string;
}

type Matcher = (this: MatcherThis, received: unknown, topic: unknown, expected?: unknown) => Promise<Verdict>;

/** For `expect.extend()`; importing `nestjs-rocketmq/testing/jest`, `…/jest-globals` or `…/vitest` does it, and declares their types. */
export const rocketmqMatchers: { readonly [Name in keyof RocketMQMatchers]: Matcher } = {
  toHaveSent(received, topic, expected) {
    return evaluate(this, received, { matcher: 'toHaveSent', what: 'sent', topic, expected });
  },
  toHaveDelivered(received, topic, expected) {
    return evaluate(this, received, { matcher: 'toHaveDelivered', what: 'delivered', topic, expected });
  },
  toHaveDeadLettered(received, topic, expected) {
    return evaluate(this, received, { matcher: 'toHaveDeadLettered', what: 'dead-lettered', topic, expected });
  },
};

interface Assertion {
  readonly matcher: keyof RocketMQMatchers;
  readonly what: Observed;
  readonly topic: unknown;
  readonly expected: unknown;
}

async function evaluate(self: MatcherThis, received: unknown, assertion: Assertion): Promise<Verdict> {
  const { matcher, what, topic, expected = {} } = assertion;
  const observation = observationOf(matcher, received);
  const claim = claimOf(`${matcher}: `, { topic, expected }, what !== 'sent', observation.codec);
  await observation.settle();
  const other = observation.otherName(claim.topic);
  if (other !== undefined) throw otherTopic(matcher, claim.topic, other);
  const candidates = observation.find(what, claim.topic);
  if (candidates === undefined) throw notObservable(matcher, 'is a FakeProducer, which delivers nothing');
  const matched = matching(self, candidates, claim);
  const { times } = claim.expected;
  const pass = times === undefined ? matched.length > 0 : matched.length === times;
  const all = observation.all(what, claim.topic);
  const moment = observation.moment();
  const { isNot = false, utils } = self;
  const found = { matcher, what, claim, matched, candidates, all, moment, isNot };
  return { pass, message: () => report(found, self, utils) };
}

/** One of each message, whatever the number of groups that have it. */
function matching(self: MatcherThis, candidates: readonly ObservedMessage[], claim: Claim): ObservedMessage[] {
  const expected = expectedFields(claim);
  const matched = candidates.filter((message) => isEqual(self, fieldsOf(message, claim, expected, self), expected));
  return [...new Map(matched.map((message) => [message.identity, message])).values()];
}

function observationOf(matcher: string, received: unknown): Observation {
  const observable = received as Partial<Observable> | undefined | null;
  if (typeof observable?.[OBSERVE] !== 'function') throw notObservable(matcher, `is ${describe(received)}`);
  return observable[OBSERVE]();
}

/** `.not` would pass for a topic that only has another name. */
function otherTopic(matcher: string, topic: string, other: string): UsageError {
  const text = `${matcher}: there is no topic "${topic}", but "${other}" has messages`;
  const cure = `with topicPrefix, resolveTopic or a namespace, pass the name on the cluster: ${matcher}('${other}')`;
  return new UsageError(
    'OTHER_TOPIC_NAME',
    `${text}; ${cure}. If they are different topics, declare "${topic}": broker.declareTopic()`,
    'topic',
  );
}

function notObservable(matcher: string, what: string): UsageError {
  const takes = matcher === 'toHaveSent' ? 'a TestBroker or a FakeProducer' : 'a TestBroker';
  return new UsageError('NOT_OBSERVABLE', `${matcher}: what was passed to expect() ${what}; pass ${takes}`);
}
