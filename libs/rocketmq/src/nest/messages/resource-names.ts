// The names of topics and groups on the cluster, where they differ from those in the code.

import { deadLetterTopicOf, topicNameProblem } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';
import { anyString, describe } from '../../support/options.js';

/** How the names of one connection are formed. */
export interface NamingOptions {
  /** The prefix of every topic name on the cluster, for instance `staging-`. Default: none. */
  readonly topicPrefix?: string;
  /** The prefix of every consumer group on the cluster. Default: none. */
  readonly groupPrefix?: string;
  /** Returns the full name of a topic on the cluster; undefined: use `topicPrefix`. Default: none. */
  readonly resolveTopic?: (topic: string) => string | undefined;
}

/** The names on the cluster, by the names in the code. */
export interface ResourceNames {
  topic(name: string): string;
  group(name: string): string;
}

/** Leaves every name unchanged. */
export const NAMES_AS_GIVEN: ResourceNames = { topic: (name) => name, group: (name) => name };

/**
 * The dead letters of a group are stored under the group's name on the cluster.
 * @returns names that throw a UsageError when an option leads to a topic name that no server accepts
 */
export function resourceNames({ topicPrefix = '', groupPrefix = '', resolveTopic }: NamingOptions): ResourceNames {
  const deadLetters = deadLetterTopicOf('');
  const group = (name: string): string => `${groupPrefix}${name}`;
  const topic = (name: string): string => {
    if (name.startsWith(deadLetters)) return deadLetterTopicOf(group(name.slice(deadLetters.length)));
    const resolved: unknown = resolveTopic?.(name);
    if (resolved !== undefined) return legal('resolveTopic', name, resolved);
    // Without a prefix it is reported where it was given.
    return topicPrefix === '' ? name : legal('topicPrefix', name, `${topicPrefix}${name}`);
  };
  return { topic, group };
}

function legal(option: 'resolveTopic' | 'topicPrefix', name: string, resolved: unknown): string {
  const problem = anyString(resolved) ?? topicNameProblem(resolved as string);
  if (problem === undefined) return resolved as string;
  const result = option === 'resolveTopic' ? 'returned' : 'leads to';
  const text = `RocketMQModule: option ${option} ${result} ${describe(resolved)} for topic "${name}"; the name ${problem}`;
  throw new UsageError('ILLEGAL_OPTION', text, option);
}
