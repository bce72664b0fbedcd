// Topics as the application declares them: name, type, schema and codec of the body.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { MessageType } from '../../protocol/model/message.js';
import { consumerGroupNameProblem, deadLetterTopicOf, topicNameProblem } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';
import { type BodyCodec, bytesCodec } from './body-codec.js';
import { type BodyClass, classSchema, type PlainOf } from './body-schema.js';
import { type OnInvalid, onInvalidProblem } from './invalid-body.js';

/** What the tools of the server take, too. */
const MOST_QUEUES = 1024;

/** The types of a topic that this library can send. */
export type TopicType = Exclude<MessageType, 'lite'>;

/**
 * A topic, declared once for those who send and those who listen.
 * @typeParam Body what a handler gets
 * @typeParam Input what a sender gives; differs from Body where the schema transforms
 */
export interface TopicDefinition<Body = unknown, Input = Body> {
  readonly name: string;
  /** Undefined for a topic that is only listened to and may be of any type. */
  readonly type: TopicType | undefined;
  readonly schema: StandardSchemaV1<Input, Body> | undefined;
  /** Default: the module's. */
  readonly codec: BodyCodec | undefined;
  /** Default: the module's, and of a listener its own. */
  readonly onInvalid: OnInvalid | undefined;
  /** Queues on each broker; undefined: any number will do. */
  readonly queues: number | undefined;
}

/** A topic, or the name of one whose bodies nobody checks. */
export type TopicLike<Body = unknown, Input = Body> = TopicDefinition<Body, Input> | string;

// biome-ignore lint/suspicious/noExplicitAny: the other side of a definition may be anything
type Anything = any;

/** What a handler of a topic gets: `BodyOf<typeof OrderCreated>`. */
export type BodyOf<Topic extends TopicDefinition<Anything, Anything>> =
  Topic extends TopicDefinition<infer Body, Anything> ? Body : never;

/** What a sender to a topic gives: `InputOf<typeof OrderCreated>`. */
export type InputOf<Topic extends TopicDefinition<Anything, Anything>> =
  Topic extends TopicDefinition<Anything, infer Input> ? Input : never;

/** A body whose type the topic alone decides, not what is given (`NoInfer`, which TypeScript before 5.4 has not). */
export type Given<Input> = [Input][Input extends unknown ? 0 : never];

/** What `defineTopic` takes beside the name. */
export interface TopicDefinitionOptions<Schema extends StandardSchemaV1 | BodyClass> {
  /** The type that the cluster holds the topic as. A topic takes messages of one type only. */
  readonly type: TopicType;
  /**
   * Checks bodies before they are sent and after they are received. Any Standard Schema (zod, valibot, arktype, …), or
   * a class with the decorators of class-validator, which needs the packages class-validator and class-transformer.
   * What a sender gives is on the wire; what the schema makes of it (defaults, coercions, instances) is what a handler
   * gets. Default: none, all are taken.
   */
  readonly schema?: Schema;
  /** Default: the module's, which is JSON. A topic of strings takes `textCodec`, one of bytes `bytesCodec`. */
  readonly codec?: BodyCodec;
  /** What becomes of received messages whose body is invalid, for listeners that do not say it themselves. Default: the module's. */
  readonly onInvalid?: OnInvalid;
  /**
   * Queues on each broker, 1 to 1024: for the module option `provision`, and the broker of `endpoints: 'embedded:'`. Default: as the
   * server has it; 8 for a new topic.
   */
  readonly queues?: number;
}

/**
 * Declares a topic. It creates nothing on the cluster.
 * @throws UsageError when the name or an option is illegal
 */
export function defineTopic<Body extends object>(
  name: string,
  options: TopicDefinitionOptions<BodyClass<Body>> & { readonly schema: BodyClass<Body> & { '~standard'?: never } },
): TopicDefinition<Body, PlainOf<Body>>;
export function defineTopic<Schema extends StandardSchemaV1>(
  name: string,
  options: TopicDefinitionOptions<Schema> & { readonly schema: Schema },
): TopicDefinition<StandardSchemaV1.InferOutput<Schema>, StandardSchemaV1.InferInput<Schema>>;
export function defineTopic<Body = unknown>(
  name: string,
  options: TopicDefinitionOptions<StandardSchemaV1> & { readonly schema?: undefined },
): TopicDefinition<Body>;
export function defineTopic(
  name: string,
  { type, schema, codec, onInvalid, queues }: TopicDefinitionOptions<StandardSchemaV1 | BodyClass>,
): TopicDefinition {
  const problem = topicNameProblem(name);
  if (problem !== undefined) {
    throw new UsageError('ILLEGAL_TOPIC', `topic ${JSON.stringify(name)} ${problem}`, 'name');
  }
  const types: readonly string[] = ['normal', 'fifo', 'delay', 'transaction', 'priority'] satisfies TopicType[];
  if (!types.includes(type)) {
    const text = `topic "${name}": type must be one of ${types.join(', ')}, not ${String(type)}`;
    throw new UsageError('ILLEGAL_TOPIC_TYPE', text, 'type');
  }
  const wrong = onInvalidProblem(onInvalid);
  if (wrong !== undefined) throw new UsageError('ILLEGAL_OPTION', `topic "${name}": onInvalid ${wrong}`, 'onInvalid');
  if (queues !== undefined && !(Number.isInteger(queues) && queues >= 1 && queues <= MOST_QUEUES)) {
    const text = `topic "${name}": queues must be a whole number from 1 to ${MOST_QUEUES}, not ${String(queues)}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'queues');
  }
  return { name, type, schema: schemaOf(name, schema), codec, onInvalid, queues };
}

function schemaOf(name: string, schema: StandardSchemaV1 | BodyClass | undefined): StandardSchemaV1 | undefined {
  if (schema === undefined) return undefined;
  // Some Standard Schemas are functions.
  if (schema !== null && '~standard' in Object(schema)) return schema as StandardSchemaV1;
  if (typeof schema === 'function') return classSchema(schema);
  const text = `topic "${name}": schema must be a Standard Schema (zod 3.24, valibot 1, arktype 2 or later) or a class`;
  throw new UsageError('ILLEGAL_OPTION', text, 'schema');
}

/**
 * The dead letters of a consumer group, to be listened to by another group. Bodies come as bytes, since messages of all
 * topics of the group end there. A cluster makes the topic at the group's first dead letter; an application that listens
 * to it earlier stops at start with the command that creates it. The broker of `embedded:` has it from the start.
 * @throws UsageError when the group's name is illegal
 */
export function deadLettersOf(consumerGroup: string): TopicDefinition<Buffer> {
  const problem = consumerGroupNameProblem(consumerGroup);
  if (problem !== undefined) {
    const text = `consumer group ${JSON.stringify(consumerGroup)} ${problem}`;
    throw new UsageError('ILLEGAL_CONSUMER_GROUP', text, 'consumerGroup');
  }
  const name = deadLetterTopicOf(consumerGroup);
  return { name, type: undefined, schema: undefined, codec: bytesCodec, onInvalid: undefined, queues: undefined };
}

/** A topic given by its name alone is a topic of any type without a schema. */
export function toTopicDefinition(topic: TopicLike): TopicDefinition {
  if (typeof topic !== 'string') return topic;
  return { name: topic, type: undefined, schema: undefined, codec: undefined, onInvalid: undefined, queues: undefined };
}
