// Describes what an application sends and receives as an AsyncAPI document.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import { addressText, areNameServers, parseEndpoints } from '../../client/endpoint.js';
import { tagsOf } from '../../protocol/model/filter.js';
import type { TopicType } from '../../protocol/model/message.js';
import type { PlannedListener } from '../listening/listener-plan.js';
import { BODY_VERSION_PROPERTY } from '../messages/body-version.js';
import { requestOf } from '../messages/request-definition.js';
import type { TopicDefinition } from '../messages/topic-definition.js';
import type { CheckedOptions } from '../runtime/module-options.js';
import { REQUEST_PROPERTIES } from '../sending/reply-message.js';
import {
  type AsyncApiMessage,
  type AsyncApiOperation,
  DEFAULT_CONNECTION,
  type JsonSchema,
  type Reference,
  type RocketMQAsyncApiDocument,
} from './document.js';
import { DocumentBuilder, type NewMessage, type OpenChannel } from './document-builder.js';
import { payloadOf } from './payload.js';
import type { UsedConnection } from './sources.js';

/** The field of a send that the type of a topic requires. */
const REQUIRED: Partial<Record<TopicType, string>> = {
  fifo: 'messageGroup',
  delay: 'deliveryTimestamp',
  priority: 'priority',
  lite: 'liteTopic',
};

const TEXT = { type: 'string' } as const;
const { replyTopic, replyTag, requestId, replyKind } = REQUEST_PROPERTIES;
const REQUEST_HEADERS = headers({ [replyTopic]: TEXT, [replyTag]: TEXT, [requestId]: TEXT });
const CORRELATION = { location: `$message.header#/${requestId}` } as const;

/** What every handler of requests can answer. */
const REQUEST_ERROR: AsyncApiMessage = {
  name: 'requestError',
  contentType: 'application/json',
  correlationId: CORRELATION,
  headers: headers({ [requestId]: TEXT, [replyKind]: { const: 'error' } }),
  payload: {
    type: 'object',
    properties: { name: TEXT, message: TEXT, code: TEXT },
    required: ['name', 'message'],
  },
};

export function describeApplication(
  connections: readonly UsedConnection[],
  info: RocketMQAsyncApiDocument['info'],
): RocketMQAsyncApiDocument {
  const builder = new DocumentBuilder();
  const clusters = new Map<string, ClusterPart>();
  const isOnly = new Set(connections.map(clusterKey)).size === 1;
  for (const connection of connections) {
    const key = clusterKey(connection);
    const first = connections.find((one) => one.name === DEFAULT_CONNECTION && clusterKey(one) === key) ?? connection;
    const part = clusters.get(key) ?? new ClusterPart(builder, first, isOnly);
    clusters.set(key, part);
    part.add(connection);
  }
  return builder.build(info);
}

/** Two connections to one cluster have the same topics. */
function clusterKey({ name, options: { target, namespace = '' } }: UsedConnection): string {
  return target.kind === 'embedded' ? `embedded ${name}` : `${target.endpoints} ${namespace}`;
}

/** The channels of one cluster. */
class ClusterPart {
  private readonly channels = new Map<string, OpenChannel>();
  private readonly replies = new Map<string, OpenChannel>();
  /** Begins the keys of channels of a named connection, also of an only one: another connection must not rename them. */
  private readonly prefix: string;
  private readonly ofCluster: { readonly servers?: readonly Reference[] };
  private readonly connection: string | undefined;

  constructor(
    private readonly builder: DocumentBuilder,
    { name, options }: UsedConnection,
    isOnly: boolean,
  ) {
    const servers = serversOf(options).map((server) => builder.server(name, server));
    this.connection = name === DEFAULT_CONNECTION ? undefined : name;
    this.prefix = this.connection === undefined ? '' : `${name}.`;
    this.ofCluster = isOnly ? {} : { servers };
  }

  add({ options, listeners, topics, transactional }: UsedConnection): void {
    for (const listener of listeners) this.addListener(listener, options);
    for (const topic of topics) this.addTopic(topic, options);
    for (const { label, topic } of transactional) {
      const { channel, message } = this.messageOf(topic, options);
      const sent = { channel: refOf(channel), messages: [message], 'x-rocketmq': { transaction: true } as const };
      this.builder.operation(`${label}.send`, { action: 'send', ...sent });
    }
  }

  private addListener(listener: PlannedListener, options: CheckedOptions): void {
    const { name, topic, pattern, filter, deadLetterTopic, settings } = listener;
    const isRequest = pattern?.kind === 'message';
    const tags = filter.kind === 'tag' ? tagsOf(filter.expression) : undefined;
    const tag = isRequest && tags !== 'every' && tags?.size === 1 ? [...tags][0] : undefined;
    const { channel, message } = this.messageOf(topic, options, isRequest ? { tag } : undefined);
    const facts = {
      consumerGroup: options.names.group(settings.consumerGroup ?? options.consumerGroup ?? ''),
      ...(filter.kind === 'sql' && { filter: { sql: filter.expression } }),
      ...(filter.kind === 'tag' && tags !== 'every' && { filter: filter.expression }),
      ...(settings.mode === 'broadcast' && { mode: 'broadcast' as const }),
      ...(settings.batch !== undefined && { batch: true as const }),
      ...(settings.liteTopics !== undefined && { liteTopics: [...settings.liteTopics] }),
    };
    this.builder.operation(name, {
      action: 'receive',
      channel: refOf(channel),
      messages: [message],
      ...(isRequest && { reply: this.replyTo(channel, tag, pattern.answer, options) }),
      'x-rocketmq': facts,
    });
    if (deadLetterTopic === undefined) return;
    // Bodies are passed on as they came, whatever the topic is declared for.
    const { schema: _, codec: __, ...unread } = deadLetterTopic;
    const letters = this.messageOf({ ...unread, schema: undefined, codec: undefined }, options, undefined, false);
    this.builder.operation(`${name}.deadLetter`, {
      action: 'send',
      channel: refOf(letters.channel),
      messages: [letters.message],
      'x-rocketmq': { deadLettersOf: name },
    });
  }

  private addTopic(topic: TopicDefinition, options: CheckedOptions): void {
    const request = requestOf(topic);
    const { channel, message } = this.messageOf(topic, options, request);
    const name = request?.tag === undefined ? topic.name : `${topic.name}.${request.tag}`;
    this.builder.operation(`${this.prefix}${request === undefined ? 'send' : 'request'}.${name}`, {
      action: 'send',
      channel: refOf(channel),
      messages: [message],
      ...(request !== undefined && { reply: this.replyTo(channel, request.tag, request.answer, options) }),
    });
  }

  /** @param request set for the message of a request; `tag` undefined: it has any tag */
  private messageOf(
    topic: TopicDefinition,
    options: CheckedOptions,
    request?: { readonly tag: string | undefined },
    isRead = true,
  ): { readonly channel: OpenChannel; readonly message: Reference } {
    const channel = this.channelOf(topic);
    const name = request?.tag === undefined ? channel.key : `${channel.key}.${request.tag}`;
    const contentType = isRead ? contentTypeOf(topic, options) : undefined;
    const message = this.builder.message(channel, {
      name,
      ...(contentType !== undefined && { contentType }),
      ...(request !== undefined && { correlationId: CORRELATION }),
      ...headersOf(topic, request !== undefined),
      ...factsAndSchema(topic, request?.tag),
    });
    return { channel, message };
  }

  private channelOf({ name, type, queues }: TopicDefinition): OpenChannel {
    const known = this.channels.get(name);
    const declared = known?.fields['x-rocketmq'];
    const facts = {
      ...(this.connection !== undefined && { connection: this.connection }),
      ...((declared?.type ?? type) !== undefined && { type: declared?.type ?? type }),
      ...((declared?.queues ?? queues) !== undefined && { queues: declared?.queues ?? queues }),
    };
    const fields = { address: name, ...this.ofCluster, ...(Object.keys(facts).length > 0 && { 'x-rocketmq': facts }) };
    // One place may give only the name of a topic which another one declares.
    const channel = known ?? this.builder.channel(`${this.prefix}${name}`, fields);
    channel.fields = fields;
    this.channels.set(name, channel);
    return channel;
  }

  private replyTo(
    requests: OpenChannel,
    tag: string | undefined,
    answer: StandardSchemaV1 | undefined,
    options: CheckedOptions,
  ): AsyncApiOperation['reply'] {
    const { contentType } = options.codec;
    const name = `${requests.key}${tag === undefined ? '' : `.${tag}`}.reply`;
    const channel = this.replies.get(name) ?? this.builder.channel(name, { address: null, ...this.ofCluster });
    this.replies.set(name, channel);
    const { schema, noSchema } = payloadOf(answer);
    const message = this.builder.message(channel, {
      name,
      ...(contentType !== undefined && { contentType }),
      correlationId: CORRELATION,
      headers: headers({ [requestId]: TEXT, [replyKind]: { enum: ['value', 'bytes', 'no-bytes', 'nothing'] } }),
      ...(schema !== undefined && { schema }),
      ...(noSchema !== undefined && { 'x-rocketmq': { noSchema } }),
    });
    return {
      address: { location: `$message.header#/${replyTopic}` },
      channel: refOf(channel),
      messages: [message, this.builder.sharedMessage(channel, REQUEST_ERROR)],
    };
  }
}

function serversOf({ target, namespace }: CheckedOptions) {
  const facts = namespace === undefined ? {} : { namespace };
  const protocol = 'rocketmq' as const;
  if (target.kind === 'embedded')
    return [{ host: 'localhost', protocol, 'x-rocketmq': { kind: 'embedded' as const, ...facts } }];
  const kind = areNameServers(target.endpoints) ? ('name-server' as const) : ('proxy' as const);
  return parseEndpoints(target.endpoints).addresses.map((address) => ({
    host: addressText(address),
    protocol,
    'x-rocketmq': { kind, ...facts },
  }));
}

/** Undefined for a topic that is given by its name: its senders may encode bodies themselves. */
function contentTypeOf({ type, codec }: TopicDefinition, options: CheckedOptions): string | undefined {
  if (codec !== undefined) return codec.contentType;
  return type === undefined ? undefined : options.codec.contentType;
}

function factsAndSchema(topic: TopicDefinition, tag: string | undefined) {
  const { type, schema: given, version, upgrade } = topic;
  const { schema, noSchema } = payloadOf(given);
  const required = type === undefined ? undefined : REQUIRED[type];
  const facts = {
    ...(tag !== undefined && { tag }),
    ...(required !== undefined && { requires: [required] }),
    ...(version !== undefined && { version }),
    ...(upgrade !== undefined && { upgradesFrom: oldestVersion(topic) }),
    ...(noSchema !== undefined && { noSchema }),
  };
  return {
    ...(schema !== undefined && { schema }),
    ...(Object.keys(facts).length > 0 && { 'x-rocketmq': facts }),
  } satisfies Partial<NewMessage>;
}

/** The oldest version of bodies that a receiver accepts. */
function oldestVersion({ version = 1, upgrade = {} }: TopicDefinition): number {
  return Math.min(...Object.keys(upgrade).map(Number), version);
}

function headersOf(topic: TopicDefinition, isRequest: boolean): { readonly headers?: JsonSchema } {
  if (isRequest) return { headers: REQUEST_HEADERS };
  if (topic.version === undefined) return {};
  const oldest = oldestVersion(topic);
  const versions = Array.from({ length: topic.version - oldest + 1 }, (_, index) => String(oldest + index));
  const { required, ...optional } = headers({ [BODY_VERSION_PROPERTY]: { enum: versions } });
  // None means version 1.
  return { headers: oldest === 1 ? optional : { ...optional, required } };
}

function headers(properties: Readonly<Record<string, JsonSchema>>) {
  return { type: 'object', properties, required: Object.keys(properties) };
}

function refOf({ key }: OpenChannel): Reference {
  return { $ref: `#/channels/${key}` };
}
