// Collects the parts of a document; operations share channels, messages and schemas.

import { isDeepStrictEqual } from 'node:util';
import type {
  AsyncApiChannel,
  AsyncApiMessage,
  AsyncApiOperation,
  AsyncApiServer,
  JsonSchema,
  Reference,
  RocketMQAsyncApiDocument,
} from './document.js';
import { placed } from './payload.js';

/** A message before its payload has a place in the document. */
export type NewMessage = Omit<AsyncApiMessage, 'payload'> & { readonly schema?: JsonSchema | undefined };

/** A channel to which messages can be added. */
export interface OpenChannel {
  readonly key: string;
  fields: Omit<AsyncApiChannel, 'messages'>;
  readonly messages: Map<string, AsyncApiMessage | Reference>;
  /** The messages as they were given, by the same keys. */
  readonly given: Map<string, NewMessage>;
}

export class DocumentBuilder {
  private readonly servers = new Map<string, AsyncApiServer>();
  private readonly channels = new Map<string, OpenChannel>();
  private readonly operations = new Map<string, AsyncApiOperation>();
  private readonly schemas = new Map<string, JsonSchema>();
  private readonly messages = new Map<string, AsyncApiMessage>();

  /** @returns the reference of the server */
  server(name: string, server: AsyncApiServer): Reference {
    const key = freeKey(name, this.servers);
    this.servers.set(key, server);
    return { $ref: `#/servers/${key}` };
  }

  /** A channel under a key that no other has. */
  channel(name: string, fields: OpenChannel['fields']): OpenChannel {
    const channel = { key: freeKey(name, this.channels), fields, messages: new Map(), given: new Map() };
    this.channels.set(channel.key, channel);
    return channel;
  }

  /** Adds a message to a channel unless it has an equal one. @returns its reference */
  message(channel: OpenChannel, message: NewMessage): Reference {
    const [known] = [...channel.given].find(([, other]) => isDeepStrictEqual(other, message)) ?? [];
    const key = known ?? freeKey(message.name, channel.messages);
    if (known === undefined) {
      const { schema, ...fields } = message;
      channel.given.set(key, message);
      channel.messages.set(
        key,
        schema === undefined ? fields : { ...fields, payload: this.schema(message.name, schema) },
      );
    }
    return this.messageIn(channel, key);
  }

  /** Adds a message that several channels have. @returns its reference in the channel */
  sharedMessage(channel: OpenChannel, message: AsyncApiMessage): Reference {
    this.messages.set(message.name, message);
    channel.messages.set(message.name, { $ref: `#/components/messages/${message.name}` });
    return this.messageIn(channel, message.name);
  }

  operation(name: string, operation: AsyncApiOperation): void {
    this.operations.set(freeKey(name, this.operations), operation);
  }

  /** Everything in the order of its keys, so that a file of it changes as little as the application. */
  build(info: RocketMQAsyncApiDocument['info']): RocketMQAsyncApiDocument {
    const channels = new Map(
      [...this.channels].map(([key, { fields, messages }]) => [key, { ...fields, messages: inOrder(messages) }]),
    );
    return {
      asyncapi: '3.0.0',
      info,
      servers: inOrder(this.servers),
      channels: inOrder(channels),
      operations: inOrder(this.operations),
      components: { schemas: inOrder(this.schemas), messages: inOrder(this.messages) },
    };
  }

  private messageIn({ key }: OpenChannel, message: string): Reference {
    return { $ref: `#/channels/${key}/messages/${message}` };
  }

  private schema(name: string, schema: JsonSchema): Reference {
    const key = freeKey(name, this.schemas);
    const place = `#/components/schemas/${key}`;
    this.schemas.set(key, placed(schema, place));
    return { $ref: place };
  }
}

/** Names of topics and listeners can have signs that a pointer would have to escape. */
function freeKey(name: string, taken: ReadonlyMap<string, unknown>): string {
  const key = name.replace(/[^\w.-]/g, '_');
  if (!taken.has(key)) return key;
  let number = 2;
  while (taken.has(`${key}-${number}`)) number++;
  return `${key}-${number}`;
}

function inOrder<T>(parts: ReadonlyMap<string, T>): Record<string, T> {
  return Object.fromEntries([...parts].sort(([one], [other]) => (one < other ? -1 : 1)));
}
