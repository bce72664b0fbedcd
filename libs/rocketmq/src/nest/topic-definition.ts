// Topics as the application declares them: name, type, schema and codec of the body.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { MessageType } from '../protocol/message.js';
import { consumerGroupNameProblem, deadLetterTopicOf, topicNameProblem } from '../protocol/names.js';
import { UsageError } from '../support/errors.js';
import { type BodyCodec, bytesCodec } from './body-codec.js';

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
}

/** A topic, or the name of one whose bodies nobody checks. */
export type TopicLike<Body = unknown, Input = Body> = TopicDefinition<Body, Input> | string;

export interface TopicDefinitionOptions<Schema extends StandardSchemaV1> {
  /** The type that the cluster holds the topic as. A topic takes messages of one type only. */
  readonly type: TopicType;
  /** Checks bodies before they are sent and after they are received. Any Standard Schema (zod, valibot, arktype, …). */
  readonly schema?: Schema;
  /** Default: the module's, which is JSON. A topic of strings takes `textCodec`, one of bytes `bytesCodec`. */
  readonly codec?: BodyCodec;
}

/**
 * Declares a topic. It creates nothing on the cluster.
 * @throws UsageError when the name or the type is illegal
 */
export function defineTopic<Schema extends StandardSchemaV1>(
  name: string,
  options: TopicDefinitionOptions<Schema> & { readonly schema: Schema },
): TopicDefinition<StandardSchemaV1.InferOutput<Schema>, StandardSchemaV1.InferInput<Schema>>;
export function defineTopic<Body = unknown>(
  name: string,
  options: TopicDefinitionOptions<StandardSchemaV1> & { readonly schema?: undefined },
): TopicDefinition<Body>;
export function defineTopic(name: string, options: TopicDefinitionOptions<StandardSchemaV1>): TopicDefinition {
  const problem = topicNameProblem(name);
  if (problem !== undefined) {
    throw new UsageError('ILLEGAL_TOPIC', `topic ${JSON.stringify(name)} ${problem}`, 'name');
  }
  const types: readonly string[] = ['normal', 'fifo', 'delay', 'transaction', 'priority'] satisfies TopicType[];
  if (!types.includes(options.type)) {
    const text = `topic "${name}": type must be one of ${types.join(', ')}, not ${String(options.type)}`;
    throw new UsageError('ILLEGAL_TOPIC_TYPE', text, 'type');
  }
  return { name, type: options.type, schema: options.schema, codec: options.codec };
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
  return { name: deadLetterTopicOf(consumerGroup), type: undefined, schema: undefined, codec: bytesCodec };
}

/** A topic given by its name alone is a topic of any type without a schema. */
export function toTopicDefinition(topic: TopicLike): TopicDefinition {
  return typeof topic === 'string' ? { name: topic, type: undefined, schema: undefined, codec: undefined } : topic;
}
