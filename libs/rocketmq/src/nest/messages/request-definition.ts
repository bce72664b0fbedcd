// Requests as the application declares them, once for both ends: the pattern, and the schemas of request and answer.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { assertOptions, checkedElsewhere, type OptionChecks } from '../../support/options.js';
import { parseAddress } from '../common/pattern.js';
import type { BodyClass, PlainOf } from './body-schema.js';
import { defineTopic, type InputFor, schemaOf, type TopicDefinition } from './topic-definition.js';

/**
 * A request and its answer, declared once for requesters and handlers.
 * @typeParam Request what the handler receives
 * @typeParam Answer what the requester gets
 * @typeParam RequestInput what the requester passes; it differs from Request where the schema transforms
 * @typeParam AnswerInput what the handler returns; it differs from Answer where the schema transforms
 * @typeParam Details what a handler gives to `new RpcException()`, as `isErrorOf()` knows it
 */
export interface RequestDefinition<
  Request = unknown,
  Answer = unknown,
  RequestInput = InputFor<Request>,
  AnswerInput = InputFor<Answer>,
  Details = unknown,
> {
  /** `topic` or `topic:tag`. */
  readonly pattern: string;
  /** The topic of the pattern, with the schema of requests. A requester may list it in the module option `topics`. */
  readonly topic: TopicDefinition<Request, RequestInput, 'normal'>;
  /** The schema of answers. */
  // biome-ignore lint/suspicious/noExplicitAny: `~answerInput` types what a handler returns
  readonly answer: StandardSchemaV1<any, Answer> | undefined;
  /** The schema of the details of errors. */
  // biome-ignore lint/suspicious/noExplicitAny: as of an answer
  readonly error: StandardSchemaV1<any, Details> | undefined;
  /** Never set, as `~input` of a topic. */
  readonly '~answerInput'?: (answer: AnswerInput) => void;
}

/** In the topic of a request, so that a requester which lists only the topic is known to expect an answer. */
const REQUEST = Symbol.for('nestjs-rocketmq.request-of-topic');

/** What a topic of {@link RequestDefinition} is part of. */
interface RequestOfTopic extends Pick<RequestDefinition, 'answer'> {
  readonly tag: string | undefined;
}

/** Undefined for a topic that is not that of a request. */
export function requestOf(topic: TopicDefinition): RequestOfTopic | undefined {
  return (topic as { readonly [REQUEST]?: RequestOfTopic })[REQUEST];
}

type AnySchema = StandardSchemaV1 | BodyClass;

/** In place of a schema that is not given. Not `undefined`, which can be the type of a request or an answer: `defineRequest<Ping, undefined>`. */
interface NoSchema {
  readonly '~never': never;
}

/** What a receiver gets, by the schema. */
type OutputOf<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Schema>
  : Schema extends BodyClass<infer Body>
    ? Body
    : unknown;

/** What a sender passes, by the schema. */
type InputOf<Schema> = Schema extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<Schema>
  : Schema extends BodyClass<infer Body>
    ? PlainOf<Body>
    : unknown;

/** The options of `defineRequest`. */
export interface RequestDefinitionOptions<
  RequestSchema extends AnySchema | NoSchema | undefined,
  AnswerSchema extends AnySchema | NoSchema | undefined,
  ErrorSchema extends AnySchema | NoSchema | undefined = undefined,
> {
  /**
   * Validates requests before they are sent and after they are received: a Standard Schema, or a class, as in `defineTopic`. The request is
   * sent as the requester passes it; the handler receives the output of the schema. Default: none, any request is accepted.
   */
  readonly request?: RequestSchema;
  /**
   * Validates answers before they are sent and after they are received. The answer is sent as the handler returns it; the requester gets the
   * output of the schema. Default: none, any answer is accepted.
   */
  readonly answer?: AnswerSchema;
  /**
   * Validates the details of an error after they are received: what the handler, or an exception filter, gave to `new RpcException()`. `isErrorOf()` is true
   * for errors whose details fit. Default: none, details are of any form.
   */
  readonly error?: ErrorSchema;
}

const DEFINITION_CHECKS: OptionChecks<RequestDefinitionOptions<undefined, undefined>> = {
  request: checkedElsewhere,
  answer: checkedElsewhere,
  error: checkedElsewhere,
};

/**
 * Declares a request. Pass it to `producer.request()` and to `@RocketMQReply()`; it creates nothing on the cluster.
 * @param pattern `topic` or `topic:tag`; the topic is of type `normal`
 * @throws UsageError when the pattern or a schema is illegal
 */
export function defineRequest<
  RequestSchema extends AnySchema | NoSchema = NoSchema,
  AnswerSchema extends AnySchema | NoSchema = NoSchema,
  ErrorSchema extends AnySchema | NoSchema = NoSchema,
>(
  pattern: string,
  options?: RequestDefinitionOptions<RequestSchema, AnswerSchema, ErrorSchema>,
): RequestDefinition<
  OutputOf<RequestSchema>,
  OutputOf<AnswerSchema>,
  InputOf<RequestSchema>,
  InputOf<AnswerSchema>,
  OutputOf<ErrorSchema>
>;
// Types that are given by the caller; a schema beside them transforms nothing.
export function defineRequest<Request = unknown, Answer = unknown>(
  pattern: string,
  options?: RequestDefinitionOptions<StandardSchemaV1<Request>, StandardSchemaV1<Answer>>,
): RequestDefinition<Request, Answer, Request, Answer>;
export function defineRequest(
  pattern: string,
  options: RequestDefinitionOptions<AnySchema | undefined, AnySchema | undefined, AnySchema | undefined> = {},
): RequestDefinition {
  const { topic, tag } = parseAddress(pattern, 'request');
  const where = `request to "${pattern}"`;
  assertOptions(options, { options: DEFINITION_CHECKS }, `${where}: `);
  const { request, answer, error } = options;
  const schema = schemaOf(where, 'request', request);
  const answerSchema = schemaOf(where, 'answer', answer);
  const known: RequestOfTopic = { tag, answer: answerSchema };
  return {
    pattern,
    topic: { ...defineTopic(topic, { type: 'normal' }), schema, ...{ [REQUEST]: known } },
    answer: answerSchema,
    error: schemaOf(where, 'error', error),
  };
}

/** A pattern may be anything, as Nest's clients take it. */
export function isRequestDefinition(value: unknown): value is RequestDefinition {
  return typeof value === 'object' && value !== null && 'pattern' in value && 'topic' in value && 'answer' in value;
}
