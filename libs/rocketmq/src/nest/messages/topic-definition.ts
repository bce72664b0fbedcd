// Topics as the application declares them: name, type, schema and codec of the body.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { LIMITS } from '../../protocol/model/limits.js';
import { TOPIC_TYPES, type TopicType } from '../../protocol/model/message.js';
import { consumerGroupNameProblem, deadLetterTopicOf, topicNameProblem } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';
import { assertOptions, checkedElsewhere, describe, isIntegerFrom, type OptionChecks } from '../../support/options.js';
import { type BodyCodec, bytesCodec } from './body-codecs.js';
import { type BodyClass, classSchema, type PlainOf } from './body-schema.js';
import { assertVersions, type BodyUpgrades, type BodyVersions } from './body-version.js';
import { type OnInvalid, onInvalidProblem } from './invalid-body.js';

/**
 * What a sender passes where only the body is given: the same. Of `TopicDefinition` without a body it is not known: any definition is one,
 * so the compiler rejects all sends to it.
 */
export type InputFor<Body> = { 0: Body }[0 extends 1 & Body ? 0 : unknown extends Body ? never : 0];

/**
 * A topic, declared once for senders and receivers.
 * @typeParam Body what a handler receives
 * @typeParam Input what a sender passes; it differs from Body where the schema transforms
 * @typeParam Type the type of its messages; where only `TopicType` is known, their fields are checked when they are sent
 */
export interface TopicDefinition<Body = unknown, Input = InputFor<Body>, Type extends TopicType = TopicType>
  extends BodyVersions {
  readonly name: string;
  /** Undefined for a topic that is only listened to and may be of any type. */
  readonly type: Type | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: `~input` types what a sender passes
  readonly schema: StandardSchemaV1<any, Body> | undefined;
  /** Never set. With it, the compiler rejects the definition in place of one that takes more. */
  readonly '~input'?: (input: Input) => void;
  /** Default: the module's. */
  readonly codec: BodyCodec | undefined;
  /** Default: the module's; a listener can override it. */
  readonly onInvalid: OnInvalid | undefined;
  /** Queues on each broker; undefined: any number. */
  readonly queues: number | undefined;
}

/** A topic, or its name, without validation of bodies. */
export type TopicLike<Body = unknown, Input = InputFor<Body>, Type extends TopicType = TopicType> =
  | TopicDefinition<Body, Input, Type>
  | string;

// biome-ignore lint/suspicious/noExplicitAny: the other side of a definition may be anything
type Anything = any;

/** What a handler of a topic receives: `BodyOf<typeof OrderCreated>`. */
export type BodyOf<Topic extends TopicDefinition<Anything, Anything>> =
  Topic extends TopicDefinition<infer Body, Anything> ? Body : never;

/** What a sender passes for a topic: `InputOf<typeof OrderCreated>`. */
export type InputOf<Topic extends TopicDefinition<Anything, Anything>> =
  Topic extends TopicDefinition<Anything, infer Input> ? Input : never;

/** A body whose type is inferred from the topic only, not from the value (`NoInfer`, which TypeScript before 5.4 lacks). */
export type NotInferred<Input> = [Input][Input extends unknown ? 0 : never];

/** The options of `defineTopic`. */
export interface TopicDefinitionOptions<
  Schema extends StandardSchemaV1 | BodyClass,
  Type extends TopicType = TopicType,
> {
  /** The message type of the topic on the cluster. A topic accepts messages of one type only. */
  readonly type: Type;
  /**
   * Validates bodies before they are sent and after they are received. Any Standard Schema (zod, valibot, arktype, …), or
   * a class with the decorators of class-validator, which needs the packages class-validator and class-transformer.
   * A body is sent as the sender passes it; the handler receives the output of the schema (defaults, coercions,
   * instances). Default: none, any body is accepted.
   */
  readonly schema?: Schema;
  /** Default: the module's, which is JSON. Use `textCodec` for a topic of strings, `bytesCodec` for one of bytes, `exactJsonCodec` for 64-bit ids. */
  readonly codec?: BodyCodec;
  /** What happens to received messages with an invalid body, for listeners that do not set it themselves. Default: the module's. */
  readonly onInvalid?: OnInvalid;
  /**
   * Queues on each broker, 1 to 1024: for the module option `provision`, and the broker of `endpoints: 'embedded:'`. Default: as on
   * the server; 8 for a new topic.
   */
  readonly queues?: number;
  /**
   * The version of the bodies that are sent, 1 to 1000; a message has it in the property `rocketmq-body-version`. Increase it when bodies
   * change in a way that receivers must know. Default: 1, without the property.
   */
  readonly version?: number;
  /**
   * How bodies of older versions become the current one, before the schema: `{ 1: (body) => bodyOfVersion2 }`. Without a step, an older body
   * is invalid. An invalid body of a newer version is retried unless `onInvalid` is set, since another instance may know it. Default: none.
   */
  readonly upgrade?: BodyUpgrades;
}

/** The values are checked by {@link defineTopic}. Without a misspelled schema, every body would be accepted. */
const DEFINITION_CHECKS: OptionChecks<TopicDefinitionOptions<StandardSchemaV1>> = {
  type: checkedElsewhere,
  schema: checkedElsewhere,
  codec: checkedElsewhere,
  onInvalid: checkedElsewhere,
  queues: checkedElsewhere,
  version: checkedElsewhere,
  upgrade: checkedElsewhere,
};

/** The options of a topic whose bodies are declared by a type alone: `defineTopic<Order>()`. */
type WithoutSchema<Type extends TopicType> = TopicDefinitionOptions<StandardSchemaV1, Type> & {
  readonly schema?: undefined;
};

/**
 * Declares a topic. It creates nothing on the cluster.
 * @throws UsageError when the name or an option is illegal
 */
export function defineTopic<Body extends object, Type extends TopicType>(
  name: string,
  options: TopicDefinitionOptions<BodyClass<Body>, Type> & {
    readonly schema: BodyClass<Body> & { '~standard'?: never };
  },
): TopicDefinition<Body, Body | PlainOf<Body>, Type>;
export function defineTopic<Schema extends StandardSchemaV1, Type extends TopicType>(
  name: string,
  options: TopicDefinitionOptions<Schema, Type> & { readonly schema: Schema },
): TopicDefinition<StandardSchemaV1.InferOutput<Schema>, StandardSchemaV1.InferInput<Schema>, Type>;
// TypeScript infers no type parameter beside one that is given, so each type of topic has a signature of its own.
export function defineTopic<Body = unknown>(
  name: string,
  options: WithoutSchema<'normal'>,
): TopicDefinition<Body, Body, 'normal'>;
export function defineTopic<Body = unknown>(
  name: string,
  options: WithoutSchema<'fifo'>,
): TopicDefinition<Body, Body, 'fifo'>;
export function defineTopic<Body = unknown>(
  name: string,
  options: WithoutSchema<'delay'>,
): TopicDefinition<Body, Body, 'delay'>;
export function defineTopic<Body = unknown>(
  name: string,
  options: WithoutSchema<'transaction'>,
): TopicDefinition<Body, Body, 'transaction'>;
export function defineTopic<Body = unknown>(
  name: string,
  options: WithoutSchema<'priority'>,
): TopicDefinition<Body, Body, 'priority'>;
export function defineTopic<Body = unknown>(
  name: string,
  options: WithoutSchema<'lite'>,
): TopicDefinition<Body, Body, 'lite'>;
export function defineTopic<Body = unknown>(
  name: string,
  options: WithoutSchema<TopicType>,
): TopicDefinition<Body, Body>;
export function defineTopic(
  name: string,
  options: TopicDefinitionOptions<StandardSchemaV1 | BodyClass>,
): TopicDefinition {
  const problem = topicNameProblem(name);
  if (problem !== undefined) {
    throw new UsageError('ILLEGAL_TOPIC', `topic ${describe(name)} ${problem}`, 'name');
  }
  assertOptions(options, { options: DEFINITION_CHECKS }, `topic "${name}": `);
  const { type, schema, codec, onInvalid, queues, version, upgrade } = options;
  if (!TOPIC_TYPES.includes(type)) {
    const text = `topic "${name}": type must be one of ${TOPIC_TYPES.join(', ')}, not ${String(type)}`;
    throw new UsageError('ILLEGAL_TOPIC_TYPE', text, 'type');
  }
  const wrong = onInvalidProblem(onInvalid);
  if (wrong !== undefined) throw new UsageError('ILLEGAL_OPTION', `topic "${name}": onInvalid ${wrong}`, 'onInvalid');
  if (queues !== undefined && !isIntegerFrom(queues, 1, LIMITS.topicQueues)) {
    const text = `topic "${name}": queues must be an integer from 1 to ${LIMITS.topicQueues}, not ${String(queues)}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'queues');
  }
  assertVersions(`topic "${name}"`, { version, upgrade });
  return {
    name,
    type,
    schema: schemaOf(`topic "${name}"`, 'schema', schema),
    codec,
    onInvalid,
    queues,
    version,
    upgrade,
  };
}

/**
 * A schema as the application gives it.
 * @param where begins the message of the error
 * @throws UsageError that names the field
 */
export function schemaOf(
  where: string,
  field: string,
  schema: StandardSchemaV1 | BodyClass | undefined,
): StandardSchemaV1 | undefined {
  if (schema === undefined) return undefined;
  // Some Standard Schemas are functions.
  if (schema !== null && '~standard' in Object(schema)) return schema as StandardSchemaV1;
  if (typeof schema === 'function') return classSchema(schema);
  const text = `${where}: ${field} must be a Standard Schema (zod 3.24, valibot 1, arktype 2 or later) or a class`;
  throw new UsageError('ILLEGAL_OPTION', text, field);
}

/**
 * The dead letters of a consumer group, for a listener in another group. Bodies are bytes, since the messages of all
 * topics of the group are stored there. A cluster creates the topic at the group's first dead letter; an application that listens
 * to it earlier fails at startup and prints the command that creates it. The broker of `embedded:` has it from the start.
 * @throws UsageError when the group's name is illegal
 */
export function deadLettersOf(consumerGroup: string): TopicDefinition<Buffer> {
  const problem = consumerGroupNameProblem(consumerGroup);
  if (problem !== undefined) {
    const text = `consumer group ${describe(consumerGroup)} ${problem}`;
    throw new UsageError('ILLEGAL_CONSUMER_GROUP', text, 'consumerGroup');
  }
  return { ...UNDECLARED, name: deadLetterTopicOf(consumerGroup), codec: bytesCodec };
}

/** A topic given by its name only is a topic of any type without a schema. */
export function toTopicDefinition(topic: TopicLike): TopicDefinition {
  if (typeof topic !== 'string') return topic;
  return { ...UNDECLARED, name: topic };
}

/** @throws UsageError for what is neither a definition nor a name, such as an import that is not there yet */
export function assertTopicLike(topic: unknown): asserts topic is TopicLike {
  if (typeof topic === 'string' || typeof Object(topic).name === 'string') return;
  const text = `topic must be a topic from defineTopic(), or its name, not ${describe(topic)}; nothing was sent`;
  throw new UsageError('ILLEGAL_TOPIC', text, 'topic');
}

const UNDECLARED = {
  type: undefined,
  schema: undefined,
  codec: undefined,
  onInvalid: undefined,
  queues: undefined,
  version: undefined,
  upgrade: undefined,
} as const;
