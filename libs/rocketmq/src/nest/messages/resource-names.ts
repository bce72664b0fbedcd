// What topics and groups are called on the cluster, where that differs from what the code calls them.

import { deadLetterTopicOf } from '../../protocol/model/names.js';
import type { BodyCodec } from './body-codec.js';
import type { MessageHooks } from './message-hooks.js';

/** How the names of one connection are made. */
export interface NamingOptions {
  /** Stands before every topic name on the cluster, for instance `staging-`. Default: none. */
  readonly topicPrefix?: string;
  /** Stands before every consumer group on the cluster. Default: none. */
  readonly groupPrefix?: string;
  /** The name of a topic on the cluster, as it is then; undefined: by `topicPrefix`. Default: all by `topicPrefix`. */
  readonly resolveTopic?: (topic: string) => string | undefined;
}

/** The names on the cluster, by the names in the code. */
export interface ResourceNames {
  topic(name: string): string;
  group(name: string): string;
}

/** What a connection makes of messages: bytes by the codec, topics by the names, the rest by the application's hooks. */
export interface MessageWire {
  readonly codec: BodyCodec;
  readonly names: ResourceNames;
  readonly hooks?: Pick<MessageHooks, 'outgoing' | 'incoming'>;
}

/** Every name as it is given. */
export const NAMES_AS_GIVEN: ResourceNames = { topic: (name) => name, group: (name) => name };

/** Dead letters of a group are found under the group's name on the cluster. */
export function resourceNames({ topicPrefix = '', groupPrefix = '', resolveTopic }: NamingOptions): ResourceNames {
  const deadLetters = deadLetterTopicOf('');
  const group = (name: string): string => `${groupPrefix}${name}`;
  const topic = (name: string): string => {
    if (name.startsWith(deadLetters)) return deadLetterTopicOf(group(name.slice(deadLetters.length)));
    return resolveTopic?.(name) ?? `${topicPrefix}${name}`;
  };
  return { topic, group };
}
